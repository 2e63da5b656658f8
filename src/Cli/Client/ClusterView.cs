using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>What <c>GET /cluster</c> says, with the system identifier that the table's title needs.</summary>
/// <param name="Scope">Name of the cluster.</param>
/// <param name="SystemIdentifier">PostgreSQL's, or "uninitialized".</param>
/// <param name="Members">The members as answered.</param>
/// <param name="Document">The whole answer.</param>
public sealed record ClusterView(string Scope, string SystemIdentifier, ImmutableArray<SettingMap> Members, SettingMap Document)
{
    /// <summary>Reads the answers of <c>/cluster</c> and <c>/patroni</c>.</summary>
    public static ClusterView From(SettingMap cluster, string? systemIdentifier) => new(
        SettingReader.Text(cluster["scope"]) ?? "",
        systemIdentifier is { Length: > 0 } ? systemIdentifier : "uninitialized",
        [.. (cluster["members"] as SettingList)?.Items.OfType<SettingMap>() ?? []],
        cluster);

    /// <summary>The member that holds the lease.</summary>
    public SettingMap? Leader => Members.FirstOrDefault(m => Role(m).EndsWith("leader", StringComparison.Ordinal));

    /// <summary>No automatic failover.</summary>
    public bool IsPaused => SettingReader.Boolean(Document["pause"]) == true;

    /// <summary>A member's name.</summary>
    public static string Name(SettingMap member) => SettingReader.Text(member["name"]) ?? "";

    /// <summary>leader, standby_leader, sync_standby, quorum_standby or replica.</summary>
    public static string Role(SettingMap member) => SettingReader.Text(member["role"]) ?? "";

    /// <summary>Base address of a member's API; <c>null</c> when it has none.</summary>
    public static Uri? Api(SettingMap member) =>
        Uri.TryCreate(SettingReader.Text(member["api_url"]), UriKind.Absolute, out var url) ? new Uri(url.GetLeftPart(UriPartial.Authority)) : null;

    /// <summary>A tag of a member.</summary>
    public static SettingValue? Tag(SettingMap member, string tag) => member.Section("tags")[tag];

    /// <summary>The member is never elected.</summary>
    public static bool NoFailover(SettingMap member) =>
        SettingReader.Boolean(Tag(member, "nofailover")) ?? (SettingReader.Integer(Tag(member, "failover_priority")) is <= 0);
}
