using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Whether this machine has what the configuration names; looks, and changes nothing.</summary>
public static class HostChecks
{
    /// <summary>Missing programs and unreadable certificate files, each with its key.</summary>
    public static IReadOnlyList<ConfigurationProblem> Check(NodeConfiguration node)
    {
        var problems = new List<ConfigurationProblem>();
        Programs(node, problems);
        var files = new (string Path, string? File)[]
        {
            ("restapi.certfile", node.RestApi.CertFile), ("restapi.keyfile", node.RestApi.KeyFile), ("restapi.cafile", node.RestApi.CaFile),
            ("ctl.cacert", node.Document.Find("ctl.cacert") is null ? null : node.Ctl.CaCert), ("ctl.certfile", node.Ctl.CertFile), ("ctl.keyfile", node.Ctl.KeyFile),
            ("raft.tls.certfile", node.Raft.Tls?.CertFile), ("raft.tls.keyfile", node.Raft.Tls?.KeyFile), ("raft.tls.cafile", node.Raft.Tls?.CaFile),
            ("postgresql.custom_conf", node.Postgresql?.CustomConf),
        };
        foreach (var (path, file) in files)
        {
            if (file is not null && Unreadable(file) is { } why)
            {
                Add(node, problems, path, $"{file} {why}");
            }
        }

        return problems;
    }

    /// <summary>
    /// Ports of a node about to start that another process holds. Asked before anything is written: a new node would otherwise join its group
    /// first and fail then. PostgreSQL's port is asked for only while there is no data: a PostgreSQL that runs already is taken over, and a member
    /// of a running cluster stays a voter and says why its PostgreSQL does not start.
    /// </summary>
    public static IReadOnlyList<ConfigurationProblem> CheckPorts(NodeConfiguration node)
    {
        var problems = new List<ConfigurationProblem>();
        List<(string Path, HostPort At)> ports =
            [("restapi.listen", node.RestApi.Listen), (node.Document.Find("raft.bind_addr") is null ? "raft.self_addr" : "raft.bind_addr", node.Raft.BindAddress)];
        if (node.Postgresql is { } local && !File.Exists(Path.Combine(local.DataDirectory, "PG_VERSION")))
        {
            ports.AddRange(local.ListenHosts.Select(host => ("postgresql.listen", new HostPort(host, local.Port))));
        }

        foreach (var (path, at) in ports)
        {
            if (Taken(at) is { } why)
            {
                Add(node, problems, path, $"cannot listen on {at}: {why}");
            }
        }

        return problems;
    }

    private static string? Taken(HostPort at)
    {
        var address = at.IsWildcard ? IPAddress.Any : IPAddress.TryParse(at.Host, out var parsed) ? parsed : null;
        if (address is null)
        {
            return null; // A name; whoever listens resolves it, and reports what is wrong.
        }

        try
        {
            using var probe = new TcpListener(address, at.Port);
            probe.Start();
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.AddressAlreadyInUse ? "another process uses that port" : e.Message;
        }
    }

    private static void Programs(NodeConfiguration node, List<ConfigurationProblem> problems)
    {
        if (node.Postgresql is not { } local)
        {
            return;
        }

        if (local.BinDirectory is { } directory && !Directory.Exists(directory))
        {
            Add(node, problems, "postgresql.bin_dir", $"{directory} does not exist");
            return;
        }

        var missing = ServerBinaries.FindMissing(AgentSettings.ForPostgres(node, DynamicConfiguration.Default));
        if (missing.Count > 0)
        {
            Add(node, problems, "postgresql.bin_dir", $"these programs are missing or not executable: {string.Join(", ", missing)}"
                + (local.BinDirectory is null ? "; set bin_dir to the directory of the PostgreSQL binaries (PATH was searched)" : ""));
        }
    }

    private static string? Unreadable(string file)
    {
        try
        {
            using var opened = File.OpenRead(file);
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "does not exist";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "cannot be read: " + e.Message;
        }
    }

    private static void Add(NodeConfiguration node, List<ConfigurationProblem> problems, string path, string message)
    {
        var at = node.Document.Find(path);
        problems.Add(new(path, message, ConfigurationProblemKind.OutOfRange, at?.Line ?? 0, at?.Source ?? node.Source));
    }
}
