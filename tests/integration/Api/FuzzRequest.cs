using System.Text;
using Patroni.Raft.IntegrationTests.Cluster.Harness;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>A request that must change nothing, and what may come of it.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path with its query, as sent.</param>
/// <param name="Headers">Further header lines.</param>
/// <param name="Body">Body; null for none.</param>
/// <param name="MustBeRefused">Whether only a refusal is right: it asks for a change and is wrong.</param>
internal sealed record FuzzRequest(string Method, string Path, string Headers, byte[]? Body, bool MustBeRefused)
{
    private static readonly (string Method, string Path)[] Changes =
    [
        ("PATCH", "/config"), ("PUT", "/config"), ("POST", "/switchover"), ("POST", "/failover"), ("POST", "/restart"), ("POST", "/reinitialize"),
        ("POST", "/raft/members"), ("POST", "/raft/transfer"), ("DELETE", "/cluster"), ("POST", "/raft/expire"), ("POST", "/failsafe"),
    ];

    private static readonly string[] Reads =
    [
        "/", "/primary", "/leader", "/standby-leader", "/replica", "/read-only", "/sync", "/read-only-sync", "/quorum", "/read-only-quorum", "/async", "/health", "/liveness",
        "/readiness", "/patroni", "/cluster", "/history", "/config", "/metrics", "/failsafe", "/state", "/events", "/openapi.json", "/raft/members", "/raft/identity", "/no-such-path",
    ];

    private static readonly string[] Methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "DELETE", "PUT", "POST", "X"];

    private static readonly string[] Queries =
    [
        "", "?", "?lag=", "?lag=99999999999999999999999999", "?lag=-1e309MB", "?lag=1kb", "?tag_=x", "?tag_a=%00&tag_b=%ff", "?mode=%E0%A4", "?since=-1", "?since=1e9", "?since=99999999999999999999",
        "?limit=0", "?limit=abc", "?limit=%31", "?&&&===", "?replication_state=%0d%0aX:%20y", "?a=" + "b=c&",
    ];

    private static readonly string[] Targets = ["/%2e%2e/%2e%2e/etc/passwd", "/a%2Fb%00c", "//primary", "/%F0%9F%98%80/replica", "/replica/..%5c", "/cluster/x/y", "/raft/members/%00", "/\u00ff\u00fe", "/primary#x", "/*"];

    private static readonly string[] OddHeaders =
    [
        "", "Content-Type: text/plain; charset=utf-16\r\n", "Accept: \u0001\r\n", "If-Match: \"\r\n", "If-Match: W/\"1\", *\r\n", "If-Match: \"99999999999999999999\"\r\n", "Last-Event-ID: x\r\n",
        "Authorization: Basic \r\n", "Authorization: Basic %%%\r\n", "Authorization: Bearer \r\n", "Expect: 100-continue\r\n", "Cookie: a=b\r\nCookie: c\r\n", "Range: bytes=0-,5-2\r\n", "X-Forwarded-For: ::1\r\n",
    ];

    private static readonly Dictionary<string, string[]> Wrong = new()
    {
        ["/config"] =
        [
            """{"ttl": "soon"}""", """{"ttl": -1}""", """{"ttl": []}""", """{"ttl": 1e400}""", """{"loop_wait": {"a": 1}}""", """{"retry_timeout": 99999999999999999999999}""", """{"postgresql": 5}""",
            """{"postgresql": {"parameters": "x"}}""", """{"synchronous_mode": "sideways"}""", """{"slots": 7}""", """{"standby_cluster": "x"}""", """{"maximum_lag_on_failover": "much"}""", """{"pause": "perhaps"}""",
        ],
        ["/switchover"] =
        [
            """{"leader": 1}""", """{"leader": "node1", "candidate": []}""", """{"leader": "nobody"}""", """{"candidat": "node2"}""", """{"leader": "nobody", "scheduled_at": "2039-13-45T99:99:99Z"}""",
            """{"leader": "\u0000", "candidate": "x"}""", """{"scheduled_at": 5, "leader": "node1"}""",
        ],
        ["/failover"] = ["""{"candidate": {"a": 1}}""", """{"candidate": "nobody"}""", """{"candidate": ""}""", """{"leader": null}""", """{"candidate": "node1", "scheduled_at": "2039-01-01T00:00:00Z"}"""],
        ["/restart"] =
        [
            """{"role": 5}""", """{"role": "leaderish"}""", """{"timeout": -1}""", """{"timeout": []}""", """{"timeout": "1e999"}""", """{"postgres_version": 99999999999999999999}""", """{"restart_pending": "perhaps"}""",
            """{"schedule": 5}""", """{"schedule": "2039-02-30T00:00:00Z"}""", """{"unknown": 1}""",
        ],
        ["/reinitialize"] = ["""{"force": "perhaps"}""", """{"force": []}""", """{"from_leader": {}}""", """{"from_leader": 5}"""],
        ["/raft/members"] = ["""{"address": 5}""", """{"address": ""}""", """{"adress": "h:1"}""", """{"address": "h:1", "more": 1}""", """{"address": []}"""],
        ["/cluster"] = ["""{"scope": 5}""", """{"scope": "another"}""", """{"skope": "x"}""", """{"scope": []}"""],
        ["/raft/expire"] = ["""{"leader": 5}""", """{"leader": "nobody"}""", """{"lider": "node1"}""", """{"leader": []}"""],
        ["/failsafe"] = ["""{"name": 5}""", """{"names": "node1"}""", """{"name": "node1", "slots": 5}""", """{"name": "node1", "raft": []}""", """{"name": "node1", "raft": {"epoch": 1e400}}"""],
        ["/raft/transfer"] = ["""{"to": 5}""", """{"to": ""}""", """{"to": "nobody"}""", """{"too": "x"}"""],
    };

    /// <summary>The next one that the seed gives.</summary>
    public static FuzzRequest Next(Random random)
    {
        string headers = random.Next(3) == 0 ? Pick(random, OddHeaders) : "";
        if (random.Next(4) == 0)
        {
            string target = random.Next(5) == 0 ? Pick(random, Targets) : Pick(random, Reads) + Pick(random, Queries);
            string method = Pick(random, Methods);
            // A method that a path does not have must not do what the path does with another one.
            return new(method, target, headers, method is "POST" or "PUT" or "DELETE" && target.StartsWith("/config", StringComparison.Ordinal) ? "5"u8.ToArray() : null, false);
        }
        (string change, string path) = Pick(random, Changes);
        // With the cluster's secret, or nothing of it would be read.
        if (path.StartsWith("/raft/", StringComparison.Ordinal)) headers = $"Authorization: Bearer {TestCluster.Token}\r\n";
        return new(change, path + (random.Next(5) == 0 ? Pick(random, Queries) : ""), headers, WrongBody(random, path), true);
    }

    public override string ToString() => $"{Method} {Path} {Headers.Trim()} {(Body is null ? "" : Encoding.UTF8.GetString(Body.AsSpan(0, Math.Min(Body.Length, 300))))}";

    /// <summary>A body that is wrong in one of the ways there are.</summary>
    private static byte[] WrongBody(Random random, string path)
    {
        string sample = Pick(random, Wrong[path]);
        int depth = random.Next(65, 5000);
        return random.Next(10) switch
        {
            // Cut off: the outermost brace stays open.
            0 => Encoding.UTF8.GetBytes(sample[..random.Next(1, sample.Length)]),
            // Noise that is no object.
            1 => [(byte)"[]5\"tfn-\0\xff"[random.Next(10)], .. Noise(random)],
            2 => Encoding.UTF8.GetBytes($$"""{"a": 1, {{sample[1..^1]}}, {{sample[1..^1]}}}"""),
            3 => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth)),
            4 => Encoding.UTF8.GetBytes("{\"a\":" + new string('[', depth) + new string(']', depth) + "}"),
            5 => Encoding.Unicode.GetBytes(sample),
            6 => [.. "{\"leader\": \""u8, (byte)random.Next(0x80, 0xc0), .. "\"}"u8],
            7 => Encoding.UTF8.GetBytes("""{"leader": "\ud800", "address": "\udfff"}"""),
            8 when random.Next(20) == 0 => [.. "{\"a\": \""u8, .. Enumerable.Repeat((byte)'x', 1024 * 1024), .. "\"}"u8],
            _ => Encoding.UTF8.GetBytes(sample),
        };
    }

    private static byte[] Noise(Random random)
    {
        byte[] noise = new byte[random.Next(40)];
        random.NextBytes(noise);
        return noise;
    }

    private static T Pick<T>(Random random, T[] of) => of[random.Next(of.Length)];
}
