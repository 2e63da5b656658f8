using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>The history of failovers as text.</summary>
public static class HistoryTable
{
    private static readonly string[] Columns = ["TL", "LSN", "Reason", "Timestamp", "New Leader"];

    /// <summary>Renders the answer of <c>GET /history</c>; ends with a line break.</summary>
    public static string Render(SettingList history, string format)
    {
        var rows = history.Items.OfType<SettingList>()
            .Select(r => Columns.Select((_, i) => i < r.Items.Length ? r.Items[i] : new SettingScalar("", SettingScalarKind.Text)).ToArray()).ToList();
        var objects = new SettingList([.. rows.Select(r => new SettingMap([.. Columns.Zip(r).Select(c => new SettingEntry(c.First, c.Second, 0))]))]);
        var texts = rows.Select(r => (IReadOnlyList<string>)[.. r.Select(v => SettingReader.Text(v) ?? "")]).ToList();
        return format switch
        {
            "json" => PythonJson.Write(objects) + "\n",
            "yaml" or "yml" => YamlText.Block(objects) + "\n",
            "tsv" => string.Concat(texts.Prepend(Columns).Select(r => string.Join('\t', r) + "\n")),
            _ => PrettyTable.Draw("", [.. Columns.Select(c => (c, c is "TL" or "LSN" ? Align.Right : Align.Left))], texts) + "\n",
        };
    }
}
