using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Client;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Where the cluster is looked for, in which order, and what is refused.</summary>
public sealed class DiscoveryTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("discovery-").FullName;
    private readonly Dictionary<string, string> _environment = [];

    public DiscoveryTests()
    {
        _environment["HOME"] = _root;
        Directory.CreateDirectory(Etc);
        Directory.CreateDirectory(Proc);
    }

    private string Etc => Path.Combine(_root, "etc");

    private string Proc => Path.Combine(_root, "proc");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private FoundCluster Find(string? file = null, string? addresses = null, bool insecure = false) =>
        new ClusterDiscovery(_environment, new LocalNodes(Etc, Proc)).Find(new ClientOptions(file, addresses, insecure));

    private string Write(string name, string scope, int port, string more = "")
    {
        var file = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, $"scope: {scope}\nrestapi:\n  connect_address: 10.0.0.1:{port}\n{more}");
        return file;
    }

    private void Run(int id, string? directory, params string[] words)
    {
        var process = Path.Combine(Proc, id.ToString());
        Directory.CreateDirectory(process);
        File.WriteAllText(Path.Combine(process, "cmdline"), string.Join('\0', words) + "\0");
        File.WriteAllText(Path.Combine(process, "environ"), words[^1] == "run" ? "PATRONI_RESTAPI_CONNECT_ADDRESS=10.0.0.9:8009\0PATRONI_SCOPE=from-environment\0HOME=/\0" : "HOME=/\0");
        Directory.CreateSymbolicLink(Path.Combine(process, "cwd"), directory ?? "/");
    }

    private static string[] Urls(FoundCluster found) => [.. found.Urls.Select(u => u.ToString())];

    [Theory]
    [InlineData("h", "http://h:8008/")]
    [InlineData("h:80", "http://h/")]
    [InlineData("h:8010,http://i , https://j:1/x", "http://h:8010/ http://i:8008/ https://j:1/")]
    [InlineData("[::1]:8009", "http://[::1]:8009/")]
    [InlineData("[::1]", "http://[::1]:8008/")]
    public void Addresses_win_and_have_the_usual_port(string given, string urls)
    {
        Assert.Equal(urls, string.Join(' ', Urls(Find(addresses: given))));
        _environment["DCS_URL"] = given;
        Assert.Equal(urls, string.Join(' ', Urls(Find())));
    }

    [Fact]
    public void Addresses_take_credentials_and_tls_from_a_file()
    {
        var file = Write("ctl.yml", "main", 1, "ctl:\n  cacert: /ca.pem\n  authentication: {username: u, password: p}\n");
        var found = Find(file, "h:8008");
        Assert.Equal(["https://h:8008/"], Urls(found));
        Assert.Equal(("main", "u", "/ca.pem"), (found.Scope, found.Ctl.Authentication!.Username, found.Ctl.CaCert));
        Assert.Equal(["https://h:8008/"], Urls(Find(addresses: "h:8008", insecure: true)));
    }

    [Theory]
    [InlineData("ftp://h")]
    [InlineData("etcd://h:2379")]
    [InlineData("http://")]
    public void What_is_no_address_is_refused(string given) => Assert.Equal(2, Assert.Throws<CliException>(() => Find(addresses: given)).ExitCode);

    [Fact]
    public void Files_come_in_the_order_option_variable_user_environment_node()
    {
        Write("etc/main.yml", "local", 5);
        Assert.Equal("local", Find().Scope);
        _environment["PATRONI_RESTAPI_CONNECT_ADDRESS"] = "10.0.0.1:4";
        _environment["PATRONI_SCOPE"] = "variables";
        Assert.Equal("variables", Find().Scope);
        foreach (var variable in _environment.Keys.Where(k => k.StartsWith("PATRONI")).ToList())
        {
            _environment.Remove(variable);
        }

        Write(".config/patroni/patronictl.yaml", "user", 3);
        Assert.Equal("user", Find().Scope);
        _environment["XDG_CONFIG_HOME"] = Path.Combine(_root, "xdg");
        Write("xdg/patroni/patronictl.yaml", "xdg", 3);
        Assert.Equal("xdg", Find().Scope);
        _environment["PATRONICTL_CONFIG_FILE"] = Write("variable.yml", "variable", 2);
        Assert.Equal("variable", Find().Scope);
        Assert.Equal("option", Find(Write("option.yml", "option", 1)).Scope);
    }

    [Fact]
    public void A_file_that_was_asked_for_must_exist_and_name_a_node()
    {
        Write("etc/main.yml", "local", 5);
        Assert.Contains("Check the -c/--config-file parameter", Assert.Throws<CliException>(() => Find(Path.Combine(_root, "missing.yml"))).Message);
        var file = Path.Combine(_root, "empty.yml");
        File.WriteAllText(file, "scope: x\n");
        var found = Find(file);
        Assert.Empty(found.Urls);
        Assert.StartsWith($"{file} names no restapi.connect_address", found.Origin);
    }

    [Fact]
    public void Files_of_one_cluster_count_together_and_two_clusters_are_not_guessed_between()
    {
        Write("etc/a.yml", "main", 1);
        Write("etc/b.json", "main", 2);
        File.WriteAllText(Path.Combine(Etc, "b.json"), """{"scope": "main", "restapi": {"connect_address": "10.0.0.1:2"}}""");
        Write("etc/notes.txt", "other", 3);
        Assert.Equal(["http://10.0.0.1:1/", "http://10.0.0.1:2/"], Urls(Find()));
        Write("etc/c.yml", "other", 3);
        var refusal = Assert.Throws<CliException>(() => Find()).Message;
        Assert.StartsWith("several clusters have nodes here: main (", refusal);
        Assert.EndsWith("; choose one with -c", refusal);
    }

    [Fact]
    public void A_running_agent_says_where_its_file_is()
    {
        var file = Write("node/node.yml", "running", 7);
        Run(1, null, "/sbin/init", "run");
        Run(2, null, "postgres", "run", file);
        Run(41, Path.GetDirectoryName(file)!, "/usr/bin/patroni-raft", "run", "node.yml", "--name", "n");
        Run(42, null, "dotnet", "/opt/patroni-raft.dll", "witness", file);
        var found = Find();
        Assert.Equal("running", found.Scope);
        Assert.Equal(["http://10.0.0.1:7/"], Urls(found));
        Assert.Contains("node.yml", found.Origin);
    }

    [Fact]
    public void A_running_agent_without_a_file_is_known_by_its_variables()
    {
        Run(41, null, "patroni-raft", "run");
        Assert.Equal(("from-environment", "http://10.0.0.9:8009/"), (Find().Scope, Urls(Find())[0]));
    }

    [Fact]
    public void Nothing_found_names_what_was_tried()
    {
        var found = Find();
        Assert.Empty(found.Urls);
        Assert.Equal($"{_root}/.config/patroni/patronictl.yaml does not exist; no PATRONI_RESTAPI_* variable is set; {Etc} has no configuration file; "
            + "no agent of this user runs here; give a configuration file with -c, or addresses with -d http://host:8008", found.Origin);
    }
}
