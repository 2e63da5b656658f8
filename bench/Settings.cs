using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Patroni.Raft.Bench;

/// <summary>The three timings that decide how fast a failure is noticed; seconds, as in the dynamic configuration.</summary>
internal sealed record Timing(double TtlSeconds, double LoopWaitSeconds, double RetryTimeoutSeconds)
{
    /// <summary>Patroni accepts no ttl below 20.</summary>
    public static readonly Timing PatroniLowest = new(20, 1, 3);

    /// <summary>The lowest that patroni-raft accepts.</summary>
    public static readonly Timing OursLowest = new(3, 0.5, 1);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"ttl {TtlSeconds} loop_wait {LoopWaitSeconds} retry_timeout {RetryTimeoutSeconds}");
}

/// <summary>Where the programs are found; an empty path means that the system is not measured.</summary>
internal sealed record Workplace(string PostgresBin, string PatroniRaft, string RaftDriver, string Patroni, string Etcd, string Wrk);

/// <summary>One member of a cluster under test.</summary>
internal sealed record NodeAddress(string Name, string Directory, int PostgresPort, int ApiPort, int ConsensusPort, int EtcdClientPort)
{
    public string DataDirectory => Path.Combine(Directory, "data");

    /// <summary>Carried by every process of this "host", so that a crash of it kills them all.</summary>
    public string Mark => "PATRONI_RAFT_BENCH_NODE=" + Directory;
}

internal static class Settings
{
    private static readonly HashSet<int> HandedOut = [];

    /// <summary>A free port outside the kernel's range for outgoing connections, never handed out twice.</summary>
    public static int FreePort()
    {
        lock (HandedOut)
        {
            while (true)
            {
                var port = Random.Shared.Next(20000, 32000);
                if (!HandedOut.Add(port))
                {
                    continue;
                }

                try
                {
                    using var probe = new TcpListener(IPAddress.Loopback, port);
                    probe.Start();
                    return port;
                }
                catch (SocketException)
                {
                    // Taken by somebody else: try another.
                }
            }
        }
    }

    /// <summary>What both systems are given alike: the Patroni schema without its section for the consensus store.</summary>
    public static JsonObject Common(string scope, NodeAddress node, Timing timing, string postgresBin) => new()
    {
        ["scope"] = scope,
        ["name"] = node.Name,
        ["restapi"] = new JsonObject { ["listen"] = Local(node.ApiPort), ["connect_address"] = Local(node.ApiPort) },
        ["bootstrap"] = new JsonObject
        {
            ["dcs"] = new JsonObject
            {
                ["ttl"] = Number(timing.TtlSeconds),
                ["loop_wait"] = Number(timing.LoopWaitSeconds),
                ["retry_timeout"] = Number(timing.RetryTimeoutSeconds),
                ["maximum_lag_on_failover"] = 16 * 1024 * 1024,
                ["postgresql"] = new JsonObject
                {
                    ["use_pg_rewind"] = true,
                    ["parameters"] = new JsonObject { ["max_connections"] = 50, ["wal_keep_size"] = "256MB" },
                },
            },
            ["initdb"] = new JsonArray("data-checksums", new JsonObject { ["encoding"] = "UTF8" }, new JsonObject { ["locale"] = "C" }),
        },
        ["postgresql"] = new JsonObject
        {
            ["listen"] = Local(node.PostgresPort),
            ["connect_address"] = Local(node.PostgresPort),
            ["data_dir"] = node.DataDirectory,
            ["bin_dir"] = postgresBin,
            ["pgpass"] = Path.Combine(node.Directory, "pgpass"),
            ["authentication"] = new JsonObject
            {
                ["superuser"] = new JsonObject { ["username"] = "postgres", ["password"] = "bench" },
                ["replication"] = new JsonObject { ["username"] = "replicator", ["password"] = "bench" },
            },
            ["pg_hba"] = new JsonArray(
                "local all all trust", "host all all 127.0.0.1/32 trust", "host replication replicator 127.0.0.1/32 trust"),
            ["parameters"] = new JsonObject { ["unix_socket_directories"] = node.Directory, ["shared_buffers"] = "32MB" },
        },
    };

    public static string Local(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    /// <summary>Whole numbers stay whole: Patroni refuses 20.0 where it wants 20.</summary>
    private static JsonNode Number(double value) => value == Math.Floor(value) ? (long)value : value;
}
