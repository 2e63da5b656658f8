using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>The voters of the consensus group as text.</summary>
public static class RaftTable
{
    private static readonly string[] Columns = ["Name", "Address", "Role", "API", "Data", "Last seen"];

    /// <summary>Renders the answer of <c>GET /raft/members</c>; ends with a line break.</summary>
    public static string Render(SettingMap document, string format)
    {
        var members = (document["members"] as SettingList)?.Items.OfType<SettingMap>().ToList() ?? [];
        if (format == "json")
        {
            return PythonJson.Write(document) + "\n";
        }

        if (format is "yaml" or "yml")
        {
            return YamlText.Block(document) + "\n";
        }

        var rows = members.Select(m => (IReadOnlyList<string>)[
            Text(m, "name"), Text(m, "address"), Text(m, "role") is { Length: > 0 } role ? char.ToUpperInvariant(role[0]) + role[1..] : "",
            Text(m, "api_url"), SettingReader.Boolean(m["data"]) == false ? "witness" : "yes", LastSeen(m)]).ToList();
        return format == "tsv"
            ? string.Concat(rows.Prepend(Columns).Select(r => string.Join('\t', r) + "\n"))
            : PrettyTable.Draw($" Raft group: {Text(document, "cluster_id")} ", [.. Columns.Select(c => (c, c == "Last seen" ? Align.Right : Align.Left))], rows) + "\n";
    }

    private static string Text(SettingMap member, string key) => SettingReader.Text(member[key]) ?? "";

    private static string LastSeen(SettingMap member) => SettingReader.Number(member["last_seen_ms"]) is { } ms
        ? (ms / 1000).ToString("0.0", CultureInfo.InvariantCulture) + " s"
        : "unknown";
}
