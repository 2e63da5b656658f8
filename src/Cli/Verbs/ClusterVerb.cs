using System.CommandLine;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Cli.Parsing;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>What most verbs share.</summary>
internal static class ClusterVerb
{
    public static Argument<string?> ClusterName() => new("CLUSTER_NAME") { Description = "Name of the cluster", Arity = ArgumentArity.ZeroOrOne };

    public static Argument<string> RequiredClusterName() => new("CLUSTER_NAME") { Description = "Name of the cluster" };

    public static Argument<string[]> MemberNames() => new("MEMBER_NAMES") { Description = "Names of members; all without any", Arity = ArgumentArity.ZeroOrMore };

    /// <summary>patronictl's option for Citus. Refused rather than ignored: whoever names a group does not mean all members.</summary>
    public static Option<int?> Group()
    {
        var group = Values.Integer("--group", "Citus group");
        group.Validators.Add(static result => result.AddError("--group is for Citus clusters, which this program does not manage; leave it out."));
        return group;
    }

    public static Option<bool> Force() => new("--force") { Description = "Do not ask for confirmation at any point" };

    /// <summary>Now, as patronictl writes it before an answer: local, five digits of a second.</summary>
    public static string Timestamp() => DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss.fffff", CultureInfo.InvariantCulture);

    public static void PrintMembers(ClusterView view, Terminal terminal) =>
        terminal.Output.Write(MemberTable.Render(view, MemberFormat.Pretty, false, terminal.HasColors));

    /// <summary>Opens the cluster, reads it, and refuses another cluster's name.</summary>
    public static async Task<(ClusterClient Cluster, ClusterView View)> OpenAsync(ClientOptionSet client, ParseResult parsed, string? name, CancellationToken stop)
    {
        var cluster = client.Open(parsed);
        try
        {
            var view = await cluster.ReadAsync(stop).ConfigureAwait(false);
            ClusterClient.CheckName(name, view);
            return (cluster, view);
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }


    /// <summary>A time as patronictl reads it: ISO 8601, local without an offset; null or "now" is now.</summary>
    /// <exception cref="CliException">It cannot be read.</exception>
    public static DateTimeOffset? Scheduled(string? text)
    {
        if (string.IsNullOrEmpty(text) || text == "now")
        {
            return null;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal | DateTimeStyles.AllowWhiteSpaces, out var at)
            ? at
            : throw new CliException($"Unable to parse scheduled timestamp ({text}). It should be in an unambiguous format (e.g. ISO 8601)");
    }

    /// <summary>Python's <c>isoformat()</c>.</summary>
    public static string IsoFormat(DateTimeOffset at) =>
        at.ToString(at.Ticks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-ddTHH:mm:sszzz" : "yyyy-MM-ddTHH:mm:ss.ffffffzzz", CultureInfo.InvariantCulture);
}
