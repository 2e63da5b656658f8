using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>How members are printed.</summary>
public enum MemberFormat
{
    /// <summary>A framed table.</summary>
    Pretty,

    /// <summary>A framed table ordered and indented by who streams from whom.</summary>
    Topology,

    /// <summary>Values separated by tabs.</summary>
    Tsv,

    /// <summary>JSON on one line.</summary>
    Json,

    /// <summary>YAML.</summary>
    Yaml,
}

/// <summary>The member list of <c>list</c> and <c>topology</c>, column by column as patronictl prints it.</summary>
public static class MemberTable
{
    private static readonly string[] Columns =
        ["Cluster", "Member", "Host", "Role", "State", "TL", "Receive LSN", "Receive Lag", "Replay LSN", "Replay Lag"];

    private static readonly string[] Extended = ["Pending restart", "Pending restart reason", "Scheduled restart", "Tags"];

    private static readonly string[] RightAligned = ["Receive LSN", "Replay LSN", "Lag", "TL"];

    /// <summary>The text, ending with a line break; in colors when the reader is a terminal.</summary>
    public static string Render(ClusterView view, MemberFormat format, bool extended, bool colors = false)
    {
        var members = format == MemberFormat.Topology ? Topology.Order(view.Members) : [.. view.Members.Select(m => (ClusterView.Name(m), m))];
        var columns = Columns.Concat(Extended.Where(c => extended || view.Members.Any(m => m["host"] is not null && IsSet(m[Key(c)])))).ToArray();
        var withPort = WithPort(view);
        var rows = members.Select(m => columns.Select(c => Cell(view, m.Member, m.Name, c, format, withPort)).ToArray()).ToList();
        return format switch
        {
            MemberFormat.Json => PythonJson.Write(Objects(columns, rows)) + "\n",
            MemberFormat.Yaml => YamlText.Block(Objects(columns, rows)) + "\n",
            MemberFormat.Tsv => string.Concat(rows.Select(r => r.Select(v => Text(v, format)).ToArray()).Prepend(columns).Select(r => string.Join('\t', r) + "\n")),
            _ => Framed(view, columns, rows, format, colors) + ServiceInfo(view.Document),
        };
    }

    private static string Framed(ClusterView view, string[] columns, List<SettingValue[]> rows, MemberFormat format, bool colors) => PrettyTable.Draw(
        $" Cluster: {view.Scope} ({view.SystemIdentifier}) ",
        [.. columns.Skip(1).Select(c => c is "Receive Lag" or "Replay Lag" ? "Lag" : c).Select(c => (c, RightAligned.Contains(c) ? Align.Right : Align.Left))],
        [.. rows.Select(r => r.Skip(1).Select(v => Text(v, format)).ToArray())],
        colors ? (row, column) => Color(columns[column + 1], Text(rows[row][column + 1], format)) : null) + "\n";

    private static Paint Color(string column, string value) => (column, value) switch
    {
        ("Role", "Leader" or "Standby Leader") => Paint.Strong,
        ("State", "running" or "streaming") => Paint.Good,
        ("State", "in archive recovery" or "starting" or "restarting" or "stopping" or "creating replica") => Paint.Notice,
        ("State", _) => Paint.Bad,
        ("Receive LSN" or "Replay LSN", "unknown") => Paint.Notice,
        ("Pending restart", "*") => Paint.Notice,
        _ => Paint.None,
    };

    private static SettingList Objects(string[] columns, List<SettingValue[]> rows) => new([.. rows.Select(r => new SettingMap(
        [.. columns.Zip(r).Where(c => Text(c.Second, MemberFormat.Json).Length > 0).Select(c => new SettingEntry(c.First, c.Second, 0))]))]);

    private static SettingValue Cell(ClusterView view, SettingMap member, string name, string column, MemberFormat format, bool withPort) => column switch
    {
        "Cluster" => Of(view.Scope),
        "Member" => Of(name),
        "Host" => Of(Host(member, withPort)),
        "Role" => Of(Title(ClusterView.Role(member))),
        "TL" => member["timeline"] ?? Of(""),
        "Receive LSN" or "Replay LSN" => member[Key(column)] ?? Of(""),
        "Receive Lag" or "Replay Lag" => Lag(member[Key(column)]),
        "Pending restart" => Of(SettingReader.Boolean(member["pending_restart"]) == true ? "*" : ""),
        "Pending restart reason" => Of(Reasons(member, format)),
        "Scheduled restart" => Of(Schedule(member)),
        _ => member[Key(column)] ?? Of(""),
    };

    private static string Text(SettingValue value, MemberFormat format) => value switch
    {
        SettingScalar scalar => scalar.Text,
        SettingMap { Entries.Length: 0 } => "",
        SettingMap map when format == MemberFormat.Pretty => YamlText.Block(map).Trim(),
        SettingNull => "",
        _ => YamlText.Flow(value),
    };

    private static string Host(SettingMap member, bool withPort)
    {
        var host = SettingReader.Text(member["host"]) ?? "";
        return withPort && host.Length > 0 && SettingReader.Text(member["port"]) is { } port ? $"{host}:{port}" : host;
    }

    // host:port as soon as a port is unusual, or two members share a host.
    private static bool WithPort(ClusterView view)
    {
        var withHost = view.Members.Where(m => m["host"] is not null).ToList();
        return withHost.Any(m => SettingReader.Integer(m["port"]) is { } port && port != 5432)
            || withHost.Select(m => SettingReader.Text(m["host"])).Distinct().Count() < withHost.Count;
    }

    private static SettingValue Lag(SettingValue? bytes) => bytes is SettingScalar { Kind: SettingScalarKind.Number } && SettingReader.Integer(bytes) is { } lag
        ? new SettingScalar(Math.Round(lag / 1024d / 1024, MidpointRounding.ToEven).ToString(CultureInfo.InvariantCulture), SettingScalarKind.Number)
        : SettingReader.Text(bytes) == "unknown" ? Of("") : bytes ?? Of("");

    private static string Reasons(SettingMap member, MemberFormat format) => string.Join('\n', member.Section("pending_restart_reason").Entries.Select(e =>
    {
        var values = e.Value as SettingMap ?? SettingMap.Empty;
        var text = $"{e.Key}: {SettingReader.Text(values["old_value"])}->{SettingReader.Text(values["new_value"])}";
        return format is MemberFormat.Pretty or MemberFormat.Topology && text.Length > 50 ? e.Key + ": [hidden - too long]" : text;
    }));

    private static string Schedule(SettingMap member)
    {
        var restart = member.Section("scheduled_restart");
        var at = SettingReader.Text(restart["schedule"]) ?? "";
        return SettingReader.Text(restart["postgres_version"]) is { } version ? $"{at} if version < {version}" : at;
    }

    private static string ServiceInfo(SettingMap cluster)
    {
        var lines = new List<string>();
        if (SettingReader.Boolean(cluster["pause"]) == true)
        {
            lines.Add(" Maintenance mode: on");
        }

        if (cluster["scheduled_switchover"] is SettingMap scheduled)
        {
            lines.Add(" Switchover scheduled at: " + SettingReader.Text(scheduled["at"]));
            lines.AddRange(new[] { "from", "to" }.Where(k => scheduled[k] is not null).Select(k => $"{k,24}: {SettingReader.Text(scheduled[k])}"));
        }

        return string.Concat(lines.Select(l => l + "\n"));
    }

    private static bool IsSet(SettingValue? value) => value switch
    {
        null or SettingNull => false,
        SettingMap map => map.Entries.Length > 0,
        SettingScalar { Kind: SettingScalarKind.Boolean } => SettingReader.Boolean(value) == true,
        SettingScalar scalar => scalar.Text.Length > 0,
        _ => true,
    };

    private static string Key(string column) => column.ToLowerInvariant().Replace(' ', '_');

    private static SettingScalar Of(string text) => new(text, SettingScalarKind.Text);

    private static string Title(string role) => string.Join(' ', role.Split('_').Select(w => w.Length == 0 ? w : char.ToUpperInvariant(w[0]) + w[1..]));
}
