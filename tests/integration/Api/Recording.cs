using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>A request as the recordings write it.</summary>
/// <param name="ToReplica">To node1, else to node0, which leads.</param>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path with its query.</param>
/// <param name="Body">The body; null for none.</param>
internal sealed record RecordedRequest(bool ToReplica, string Method, string Path, string? Body);

/// <summary>A request and what Patroni answered. What was not recorded is null.</summary>
/// <param name="Title">What was asked, in the words of the recording.</param>
/// <param name="Before">Requests that bring the cluster into the state of the recording.</param>
/// <param name="Request">The request.</param>
/// <param name="StatusLine">Status line; null when only the code is known.</param>
/// <param name="Status">Status code.</param>
/// <param name="Headers">Header lines.</param>
/// <param name="Body">Body.</param>
internal sealed partial record Recording(
    string Title, IReadOnlyList<RecordedRequest> Before, RecordedRequest Request, string? StatusLine, int Status, IReadOnlyList<string>? Headers, string? Body)
{
    /// <summary>All recordings, in the order in which they were made.</summary>
    public static IReadOnlyList<Recording> All { get; } = ReadAll();

    public override string ToString() => Title;

    private static List<Recording> ReadAll()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "tests/integration/Api/recorded/patroni-4.1.4.txt"));
        return [.. text.Split("\n=== ").Skip(1).Select(Read)];
    }

    private static Recording Read(string section)
    {
        string[] lines = section.TrimEnd('\n').Split('\n');
        int at = 1;
        var before = new List<RecordedRequest>();
        for (; lines[at].StartsWith("! ", StringComparison.Ordinal); at++) before.Add(ReadRequest(lines[at][2..]));
        RecordedRequest request = ReadRequest(lines[at][2..]);
        string answer = string.Join('\n', lines[(at + 1)..]);
        if (answer.StartsWith("HTTP/", StringComparison.Ordinal))
            return new(lines[0], before, request, lines[at + 1], int.Parse(lines[at + 1].Split(' ')[1]), lines[(at + 2)..], null);
        if (StatusOnly().IsMatch(answer)) return new(lines[0], before, request, null, int.Parse(answer), null, null);
        Match match = BodyWithStatus().Match(answer);
        return match.Success
            ? new(lines[0], before, request, null, int.Parse(match.Groups[2].Value), null, match.Groups[1].Value)
            : new(lines[0], before, request, null, 200, null, answer);
    }

    private static RecordedRequest ReadRequest(string line)
    {
        string[] parts = line.Split(' ', 4);
        return new(parts[0] == "replica", parts[1], parts[2], parts.ElementAtOrDefault(3));
    }

    [GeneratedRegex("^[0-9]{3}$")]
    private static partial Regex StatusOnly();

    [GeneratedRegex(@"^(.*) \[([0-9]{3})\]$", RegexOptions.Singleline)]
    private static partial Regex BodyWithStatus();
}
