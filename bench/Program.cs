using System.Globalization;
using System.Runtime.InteropServices;
using Patroni.Raft.Bench;

const string Usage = """
    Measures patroni-raft against Patroni with etcd on this machine and prints one markdown table. Start it with bench/run.

      --systems patroni,ours      what to measure (default: both)
      --only NAME[,NAME...]       only these figures (names as in the raw file, e.g. Switchover,HostCrashTtl20)
      --runs N                    repetitions of every scenario (default 5)
      --commit-seconds N          length of each commit measurement (default 10)
      --idle-seconds N            length of the idle measurement (default 60)
      --load-seconds N            length of each load on the REST API (default 10)
      --lease-seconds N           how long a cluster at its lowest timing is loaded to see whether it keeps its lease (default 60)
      --raw FILE                  where raw numbers are appended, one JSON object a line (default: bench-raw.jsonl)
    """;

var values = new Dictionary<string, string>();
for (var i = 0; i < args.Length; i += 2)
{
    if (!args[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == args.Length || !Usage.Contains(args[i] + " ", StringComparison.Ordinal))
    {
        Console.Error.WriteLine(Usage);
        return 2;
    }

    values[args[i][2..]] = args[i + 1];
}

int Number(string name, int otherwise) => values.TryGetValue(name, out var text) ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

var options = new BenchOptions(
    [.. values.GetValueOrDefault("systems", "patroni,ours").Split(',').Select(s => s == "ours" ? SystemUnderTest.PatroniRaft : SystemUnderTest.Patroni)],
    values.TryGetValue("only", out var only) ? [.. only.Split(',').Select(Enum.Parse<Figure>)] : null,
    Number("runs", 5), TimeSpan.FromSeconds(Number("commit-seconds", 10)), TimeSpan.FromSeconds(Number("idle-seconds", 60)),
    TimeSpan.FromSeconds(Number("load-seconds", 10)), TimeSpan.FromSeconds(Number("lease-seconds", 60)));

string Tool(string variable) => Environment.GetEnvironmentVariable(variable) ?? "";
var workplace = new Workplace(Tool("PG_BIN_DIR"), Tool("BENCH_PATRONI_RAFT"), Tool("BENCH_RAFT_DRIVER"), Tool("BENCH_PATRONI"), Tool("BENCH_ETCD"), Tool("BENCH_WRK"));
var measurements = new Measurements(values.GetValueOrDefault("raw", "bench-raw.jsonl"));

using var stop = new CancellationTokenSource();
void Cancel(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
var exitCode = 0;
try
{
    await new BenchRun(options, workplace, measurements).RunAsync(stop.Token);
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    Console.Error.WriteLine("Interrupted; what was measured until then:");
    exitCode = 130;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException or HttpRequestException or Npgsql.NpgsqlException)
{
    Console.Error.WriteLine($"Stopped: {e.Message}\nWhat was measured until then:");
    exitCode = 1;
}

Console.WriteLine(Report.Write(measurements, workplace));
return exitCode;
