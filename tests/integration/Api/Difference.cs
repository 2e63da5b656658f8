using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>
/// A difference from Patroni that is meant: a row of the table in docs/compatibility.md, which a unit test compares with this list. The contract test allows nothing else, and a row that the
/// recordings can show must show.
/// </summary>
/// <param name="Id">First column of the row.</param>
/// <param name="Recordings">Titles of the recordings in which it may show; null for rows that none of them can show.</param>
/// <param name="Findings">What it looks like there.</param>
internal sealed record Difference(string Id, Regex? Recordings = null, Regex? Findings = null)
{
    public static IReadOnlyList<Difference> All { get; } =
    [
        Shown("raft-key", "^GET /patroni", @"^\$\.raft is extra$"),
        Shown("version", "^GET /patroni", @"^\$\.patroni\.version: "),
        Shown("version", "^GET /metrics", @"^metric patroni_version\{"),
        Shown("raft-metrics", "^GET /metrics", @"^metric (# (HELP|TYPE) )?patroni_raft_\S+ .*is extra$"),
        Shown("http", "(headers|HEAD|OPTIONS|liveness|readiness)", "^status line HTTP/1.1 "),
        Shown("http", "(headers|HEAD|OPTIONS|liveness|readiness)", "^header (Content-Length|Date|Server): .*is extra$"),
        Shown("server-header", "headers", "^header Server: Patroni.Raft/"),
        new("primary-deadline"),
        new("snapshot"),
        new("probe-head"),
        new("below-documents"),
        new("case-and-slash"),
        new("history-times"),
        new("metrics-down"),
        new("metrics-type"),
        new("text-plain"),
        new("protocol-errors"),
        new("unknown-method"),
        new("unknown-field"),
        new("scheduled-checks"),
        new("candidate-reasons"),
        new("one-request"),
        new("invalid-config"),
        new("config-order"),
        new("reload-refused"),
        new("listen-restart"),
        new("schedule-kept"),
        new("schedule-stale"),
        new("clone-progress"),
        new("stop-limit"),
        new("restart-pending-false"),
        new("not-offered"),
        new("ciphers"),
        new("host-header"),
        new("extra-headers"),
    ];

    /// <summary>Whether a finding is one of these.</summary>
    public static bool Allows(Recording recording, string finding) => All.Any(difference => difference.Covers(recording, finding));

    /// <summary>Whether it is this one.</summary>
    public bool Covers(Recording recording, string finding) => Recordings is not null && Recordings.IsMatch(recording.Title) && Findings!.IsMatch(finding);

    private static Difference Shown(string id, string recordings, string findings) => new(id, new(recordings), new(findings));
}
