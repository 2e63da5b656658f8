using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>The consensus group at a glance: who leads it, how far everybody is, whether it has a quorum and what it may lose.</summary>
public static class RaftStatusTable
{
    private static readonly (string Name, Align Align)[] Columns =
        [("Name", Align.Left), ("Address", Align.Left), ("Role", Align.Left), ("Term", Align.Right), ("Commit", Align.Right), ("Applied", Align.Right), ("Lag", Align.Right), ("Last contact", Align.Right)];

    /// <summary>Renders what was asked of all voters; ends with a line break.</summary>
    /// <param name="survey">The voters' own words.</param>
    /// <param name="members">The answer of <c>GET /raft/members</c> of the group's leader, else of any node.</param>
    /// <param name="format">pretty, tsv, json or yaml.</param>
    public static string Render(GroupSurvey survey, SettingMap members, string format)
    {
        var document = Document(survey, members);
        if (format is "json")
        {
            return PythonJson.Write(document) + "\n";
        }

        if (format is "yaml" or "yml")
        {
            return YamlText.Block(document) + "\n";
        }

        var rows = ((SettingList)document["members"]!).Items.Cast<SettingMap>().Select(m => (IReadOnlyList<string>)[
            Text(m, "name"), Text(m, "address"), Role(m), Text(m, "term"), Text(m, "commit_index"), Text(m, "applied_index"), Text(m, "lag"), Contact(m)]).ToList();
        if (format == "tsv")
        {
            return string.Concat(rows.Prepend([.. Columns.Select(c => c.Name)]).Select(r => string.Join('\t', r) + "\n"));
        }

        var table = PrettyTable.Draw($" Raft group: {Text(document, "cluster_id")} ", Columns, rows);
        return $"{table}\n{Verdict(survey, document)}\n";
    }

    private static SettingMap Document(GroupSurvey survey, SettingMap members)
    {
        var leader = survey.Voters.FirstOrDefault(v => v.Role == "leader");
        var commit = leader?.Figure("commit_index") ?? survey.Voters.Max(v => v.Figure("commit_index"));
        int voters = survey.Voters.Length, answering = survey.Voters.Count(v => v.Status is not null);
        var contacts = ((members["members"] as SettingList)?.Items.OfType<SettingMap>() ?? []).ToLookup(m => SettingReader.Text(m["address"]) ?? "", m => m["last_seen_ms"]);
        return SettingMap.Empty
            .With("cluster_id", Scalar(SettingReader.Text(members["cluster_id"]) ?? ""))
            .With("leader", leader is null ? new SettingNull() : Scalar(leader.Name))
            .With("term", Number(leader?.Figure("term") ?? survey.Voters.Max(v => v.Figure("term"))))
            .With("commit_index", Number(commit))
            .With("voters", Number(voters))
            .With("answering", Number(answering))
            .With("votes_needed", Number(VoterArithmetic.Majority(voters)))
            .With("quorum", new SettingScalar(leader is not null && answering >= VoterArithmetic.Majority(voters) ? "true" : "false", SettingScalarKind.Boolean))
            .With("may_lose", Number(Math.Max(0, answering - VoterArithmetic.Majority(voters))))
            .With("members", new SettingList([.. survey.Voters.Select(v => Member(v, commit, contacts[v.Address].FirstOrDefault()))]));
    }

    private static SettingMap Member(SurveyedVoter voter, long? commit, SettingValue? contact) => SettingMap.Empty
        .With("name", Scalar(voter.Name))
        .With("address", Scalar(voter.Address))
        .With("data", new SettingScalar(voter.HasData ? "true" : "false", SettingScalarKind.Boolean))
        .With("answers", new SettingScalar(voter.Status is not null ? "true" : "false", SettingScalarKind.Boolean))
        .With("role", Scalar(voter.Role))
        .With("term", Number(voter.Figure("term")))
        .With("commit_index", Number(voter.Figure("commit_index")))
        .With("applied_index", Number(voter.Figure("applied_index")))
        .With("lag", Number(voter.Status is null || commit is null ? null : Math.Max(0, commit.Value - voter.AppliedIndex)))
        .With("last_contact_ms", contact ?? new SettingNull());

    private static string Verdict(GroupSurvey survey, SettingMap document)
    {
        int voters = survey.Voters.Length, answering = survey.Voters.Count(v => v.Status is not null), needed = VoterArithmetic.Majority(voters);
        string count = string.Create(CultureInfo.InvariantCulture, $"{answering} of {voters} voters answer, {needed} {(needed == 1 ? "vote is" : "votes are")} needed");
        if (answering < needed)
        {
            return $"No quorum: {count}. Nothing can be decided until {needed - answering} more {(needed - answering == 1 ? "is" : "are")} back.";
        }

        return Text(document, "leader") is { Length: > 0 } leader
            ? $"Quorum: {count}; {(answering - needed == 0 ? "none more may be lost" : string.Create(CultureInfo.InvariantCulture, $"{answering - needed} more may be lost"))}. {leader} leads the group in term {Text(document, "term")}."
            : $"No leader of the group at this moment: {count}. An election is under way, or the Raft ports cannot reach each other.";
    }

    private static string Role(SettingMap member) =>
        SettingReader.Boolean(member["answers"]) != true ? "no answer" : Text(member, "role") is { Length: > 0 } role ? char.ToUpperInvariant(role[0]) + role[1..] : "";

    private static string Contact(SettingMap member) => SettingReader.Number(member["last_contact_ms"]) is { } ms
        ? (ms / 1000).ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : "unknown";

    private static string Text(SettingMap map, string key) => SettingReader.Text(map[key]) ?? "";

    private static SettingScalar Scalar(string text) => new(text, SettingScalarKind.Text);

    private static SettingValue Number(long? value) => value is { } number ? new SettingScalar(number.ToString(CultureInfo.InvariantCulture), SettingScalarKind.Number) : new SettingNull();
}
