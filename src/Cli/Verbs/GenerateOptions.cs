using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Generation;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>--generate-config</c> and <c>--generate-sample-config</c>: a node's first configuration file.</summary>
internal sealed class GenerateOptions
{
    private readonly Option<string?> _running = FileOption("--generate-config", "Write a configuration for the PostgreSQL that runs here (--dsn or the PG* variables say where)");
    private readonly Option<string?> _sample = FileOption("--generate-sample-config", "Write a sample configuration for a new cluster");
    private readonly Option<string?> _dsn = new("--dsn") { Description = "Connection string of the running PostgreSQL, for --generate-config", HelpName = "DSN" };

    public void AddTo(RootCommand root)
    {
        root.Options.Add(_running);
        root.Options.Add(_sample);
        root.Options.Add(_dsn);
    }

    /// <summary>Does what was asked for; <c>null</c> when it was not.</summary>
    /// <exception cref="CliException">PostgreSQL cannot be asked, or the file cannot be written.</exception>
    public async Task<int?> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken stop)
    {
        if (parsed.GetResult(_sample) is not null)
        {
            return Write(ConfigurationTemplate.Sample(Context(), EnvironmentSettings()), parsed.GetValue(_sample), [], terminal);
        }

        if (parsed.GetResult(_running) is null)
        {
            return null;
        }

        var (target, problem) = ClientTarget.Read(parsed.GetValue(_dsn), ConfigurationRequest.ProcessEnvironment(), Environment.UserName);
        if (target is null)
        {
            throw new CliException(problem, 2);
        }

        var (instance, refusal) = await RunningInstance.ReadAsync(target, stop).ConfigureAwait(false);
        if (instance is null)
        {
            throw new CliException(refusal);
        }

        List<string> notes = [.. instance.Notes];
        if (target.User.Password is null)
        {
            notes.Add($"no password of {target.User.Username} is known; write postgresql.authentication.superuser.password unless pg_hba.conf lets the agent in without one");
        }

        if (instance.InRecovery)
        {
            notes.Add("this PostgreSQL is a standby; begin with the primary, and let this node clone from it or join with its data");
        }

        if (instance.ReplicationRoles.IsEmpty)
        {
            notes.Add("there is no role for replication; create one: CREATE ROLE replicator REPLICATION LOGIN PASSWORD '...'");
        }

        return Write(ConfigurationTemplate.Of(instance, target, Context(), EnvironmentSettings()), parsed.GetValue(_running), notes, terminal);
    }

    private static Option<string?> FileOption(string name, string description) =>
        new(name) { Description = description + "; to standard output without a file", HelpName = "FILE", Arity = ArgumentArity.ZeroOrOne };

    private static SettingMap EnvironmentSettings()
    {
        var problems = new List<ConfigurationProblem>();
        var variables = EnvironmentVariables.Read(ConfigurationRequest.ProcessEnvironment(), problems, new List<string>());
        return problems.Count == 0 ? variables : throw new CliException(string.Join('\n', problems));
    }

    private static GenerationContext Context()
    {
        var name = Dns.GetHostName();
        IPAddress? address = null;
        try
        {
            address = Dns.GetHostAddresses(name).OrderBy(a => a.AddressFamily != AddressFamily.InterNetwork).FirstOrDefault();
        }
        catch (SocketException)
        {
            // A machine whose own name does not resolve: loopback is a beginning.
        }

        var text = address is null ? "127.0.0.1" : address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
        return new(name, text, Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin")).Where(d => File.Exists(Path.Combine(d, "postgres"))).Order(StringComparer.Ordinal).LastOrDefault()
            : null, RaftPassword.Generate());
    }

    private static int Write(string text, string? file, List<string> notes, Terminal terminal)
    {
        var problems = new List<ConfigurationProblem>();
        if (ConfigurationFiles.Parse(text, "generated", problems) is { } document)
        {
            notes.AddRange(ConfigurationTemplate.Unfinished(document).Select(path => $"{path} must be written: it says {ConfigurationTemplate.ToDo}"));
        }

        if (file is null)
        {
            terminal.Output.Write(text);
        }
        else
        {
            try
            {
                // It holds passwords, and it never replaces a file that somebody wrote.
                using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
                stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CliException($"{file} cannot be written: {e.Message}");
            }

            terminal.Output.WriteLine($"{file} was written; check it with: patroni-raft --validate-config {file}");
        }

        foreach (var note in notes)
        {
            terminal.Error.WriteLine("Note: " + note);
        }

        return 0;
    }
}
