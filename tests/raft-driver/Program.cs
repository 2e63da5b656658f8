using System.Net;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus;
using Patroni.Raft.RaftDriver;
using Patroni.Raft.RaftDriver.Harness;

// One Raft node with a toy state, spoken to over stdin and stdout; used by the integration tests and the benchmark.
var arguments = new Dictionary<string, string>(StringComparer.Ordinal);
for (var i = 0; i + 1 < args.Length; i += 2)
{
    arguments[args[i]] = args[i + 1];
}

if (arguments.TryGetValue("--soak", out var minutes))
{
    return await SoakProgram.RunAsync(double.Parse(minutes, System.Globalization.CultureInfo.InvariantCulture), int.Parse(arguments.GetValueOrDefault("--seed", "1")));
}

ThreadPool.SetMinThreads(16, 16);
var self = RaftAddress.Parse(arguments["--self"]);
var timeouts = arguments.GetValueOrDefault("--election", "500,1000").Split(',');
var options = new RaftOptions
{
    BindEndPoint = (IPEndPoint)self,
    SelfEndPoint = self,
    InitialMembers = [.. arguments.GetValueOrDefault("--members", arguments["--self"]).Split(',').Select(RaftAddress.Parse)],
    Join = arguments.ContainsKey("--join"),
    DataDirectory = arguments["--data"],
    ElectionTimeoutLower = TimeSpan.FromMilliseconds(int.Parse(timeouts[0])),
    ElectionTimeoutUpper = TimeSpan.FromMilliseconds(int.Parse(timeouts[1])),
    Security = arguments.TryGetValue("--password", out var password) ? RaftSecurity.Password(password, "driver") : RaftSecurity.None,
};
using var loggers = new StderrLoggers(arguments.ContainsKey("--verbose"));
var machine = new ListMachine();
try
{
    await using var node = await RaftNode.StartAsync(options, machine, loggers, CancellationToken.None);
    Console.Out.WriteLine("started");
    Console.Out.Flush();
    var commands = new CommandLoop(node, machine);
    await Task.WhenAny(Task.Run(commands.RunAsync), node.Stopped);
    if (node.Stopped.IsFaulted)
    {
        Console.Error.WriteLine(node.Stopped.Exception!.InnerException!.Message);
        return 3;
    }

    return 0;
}
catch (RaftStartException e)
{
    Console.Out.WriteLine($"refused {e.Failure} {e.Message}");
    return 2;
}
