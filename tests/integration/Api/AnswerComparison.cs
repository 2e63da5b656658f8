using System.Text.Json;
using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>
/// Compares an answer with a recorded one: status, words, JSON keys with their order and nesting, types and values. Values that no two
/// clusters share (positions, times) are compared by their form.
/// </summary>
/// <param name="names">What stands here for the recorded names, addresses and ports.</param>
internal sealed partial class AnswerComparison(IReadOnlyDictionary<string, string> names)
{
    private static readonly HashSet<string> Unlike =
    [
        "postmaster_start_time", "server_version", "dcs_last_seen", "database_system_identifier", "location", "received_location", "replayed_location",
        "receive_lsn", "replay_lsn", "lsn", "receive_lag", "replay_lag", "lag",
        "patroni_postmaster_start_time", "patroni_xlog_location", "patroni_postgres_server_version", "patroni_dcs_last_seen",
    ];

    private readonly List<string> findings = [];

    /// <summary>Every difference, one line each.</summary>
    public static IReadOnlyList<string> Compare(Recording recorded, RawAnswer answer, IReadOnlyDictionary<string, string> names)
    {
        var comparison = new AnswerComparison(names);
        if (answer.Status != recorded.Status) comparison.Find($"status {answer.Status} instead of {recorded.Status}: {answer.Body}");
        if (recorded.StatusLine is { } line && line != answer.StatusLine) comparison.Find($"status line {answer.StatusLine} instead of {line}");
        if (recorded.Headers is not null) comparison.CompareHeaders(recorded, answer);
        if (recorded.Body is { } body) comparison.CompareBodies(body, answer.Body);
        return comparison.findings;
    }

    private void CompareHeaders(Recording recorded, RawAnswer answer)
    {
        Dictionary<string, string> expected = recorded.Headers!.Where(line => line.Contains(": ")).Select(line => line.Split(": ", 2)).ToDictionary(part => part[0], part => part[1]);
        foreach ((string name, string value) in expected)
        {
            if (answer[name] is not { } here) Find($"header {name} is missing");
            else if (name == "Date" ? !DateTimeOffset.TryParse(here, out _) : here != value) Find($"header {name}: {here} instead of {value}");
        }
        foreach ((string name, string value) in answer.Headers)
            if (!expected.ContainsKey(name)) Find($"header {name}: {value} is extra");
    }

    private void CompareBodies(string expected, string here)
    {
        if (expected.StartsWith("# HELP", StringComparison.Ordinal))
        {
            CompareMetrics(expected, here);
        }
        else if (expected[0] is '{' or '[')
        {
            if (!IsSpacedLikePython(here)) Find($"spacing of {here}");
            using JsonDocument left = JsonDocument.Parse(expected), right = JsonDocument.Parse(here);
            CompareValues("$", "", left.RootElement, right.RootElement);
        }
        else if (Translate(expected) is var text && text != here)
        {
            Find($"text \"{here}\" instead of \"{text}\"");
        }
    }

    private void CompareValues(string path, string key, JsonElement expected, JsonElement here)
    {
        bool mayBeNull = key == "replayed_timestamp";
        if (mayBeNull && (here.ValueKind == JsonValueKind.Null || Form(here.ToString()) == "#-#-# #:#:#.#+#:#")) return;
        if (Kind(expected) != Kind(here)) Find($"{path}: {here.GetRawText()} instead of {expected.GetRawText()}");
        else if (expected.ValueKind == JsonValueKind.Object) CompareObjects(path, expected, here);
        else if (expected.ValueKind == JsonValueKind.Array) CompareArrays(path, expected, here);
        else if (IsUnlike(path, key) ? Form(expected.GetRawText()) != Form(here.GetRawText()) : Translate(expected.GetRawText()) != here.GetRawText())
            Find($"{path}: {here.GetRawText()} instead of {Translate(expected.GetRawText())}");
    }

    private void CompareObjects(string path, JsonElement expected, JsonElement here)
    {
        string[] wanted = [.. expected.EnumerateObject().Select(property => property.Name)], found = [.. here.EnumerateObject().Select(property => property.Name)];
        foreach (string missing in wanted.Except(found)) Find($"{path}.{missing} is missing");
        foreach (string extra in found.Except(wanted)) Find($"{path}.{extra} is extra");
        if (!wanted.Intersect(found).SequenceEqual(found.Intersect(wanted))) Find($"{path}: order {string.Join(' ', found)} instead of {string.Join(' ', wanted)}");
        if (found.Distinct().Count() != found.Length) Find($"{path}: a key stands twice in {string.Join(' ', found)}");
        foreach (string name in wanted.Intersect(found)) CompareValues($"{path}.{name}", name, expected.GetProperty(name), here.GetProperty(name));
    }

    private void CompareArrays(string path, JsonElement expected, JsonElement here)
    {
        JsonElement[] wanted = Sorted(expected, Translate), found = Sorted(here, static text => text);
        if (wanted.Length != found.Length) Find($"{path}: {found.Length} elements instead of {wanted.Length}");
        for (int i = 0; i < Math.Min(wanted.Length, found.Length); i++) CompareValues($"{path}[{i}]", "", wanted[i], found[i]);
    }

    /// <summary>Members come in the order of their names, which are others here; the order of replication clients is PostgreSQL's.</summary>
    private static JsonElement[] Sorted(JsonElement array, Func<string, string> translate)
    {
        string Key(JsonElement item) => item.ValueKind == JsonValueKind.Object && (item.TryGetProperty("name", out JsonElement name) || item.TryGetProperty("application_name", out name))
            ? translate(name.GetRawText()) : "";
        return [.. array.EnumerateArray().OrderBy(Key, StringComparer.Ordinal)];
    }

    private void CompareMetrics(string expected, string here)
    {
        string[] wanted = [.. expected.Split('\n').Select(Translate)], found = here.TrimEnd('\n').Split('\n');
        int at = 0;
        foreach (string line in wanted)
        {
            if (at >= found.Length) Find($"metric line {line} is missing");
            else if (line.StartsWith('#') ? line != found[at] : !IsSample(line, found[at])) Find($"metric {found[at]} instead of {line}");
            at++;
        }
        foreach (string extra in found.Skip(at)) Find($"metric {extra} is extra");
    }

    private static bool IsSample(string expected, string here)
    {
        string[] wanted = expected.Split(' '), found = here.Split(' ');
        return found.Length == 2 && wanted[0] == found[0] && (Unlike.Contains(wanted[0].Split('{')[0]) ? Form(wanted[1]) == Form(found[1]) : wanted[1] == found[1]);
    }

    private static bool IsUnlike(string path, string key) => Unlike.Contains(key) || HistoryPositionOrTime().IsMatch(path);

    private string Translate(string text) => Names().Replace(text, match => names.TryGetValue(match.Value, out string? here) ? here : match.Value);

    private static string Form(string text) => Digits().Replace(Lsn().Replace(text, "LSN"), "#");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number => value.GetRawText().Contains('.') ? "fraction" : "integer",
        _ => value.ValueKind.ToString(),
    };

    /// <summary>Python's json.dumps: ", " and ": " between the parts, nothing else.</summary>
    private static bool IsSpacedLikePython(string json)
    {
        string bare = Text().Replace(json, "\"\"");
        return !bare.Contains('\n') && !Spacing().IsMatch(bare.Replace(", ", "").Replace(": ", ""));
    }

    private void Find(string finding) => findings.Add(finding);

    // Whole words only: 6400 is a port, and also part of a number.
    [GeneratedRegex(@"http://127\.0\.0\.1:840\d/patroni|\b(?:node[0-2]|640[0-2]|lab|rep)\b")]
    private static partial Regex Names();

    [GeneratedRegex(@"^\$\[\d+\]\[[13]\]$")]
    private static partial Regex HistoryPositionOrTime();

    [GeneratedRegex(@"\b[0-9A-F]+/[0-9A-F]+\b")]
    private static partial Regex Lsn();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"""(?:[^""\\]|\\.)*""")]
    private static partial Regex Text();

    [GeneratedRegex(@"[\s,:]")]
    private static partial Regex Spacing();
}
