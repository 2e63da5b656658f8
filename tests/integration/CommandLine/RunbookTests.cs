using System.Diagnostics;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.CommandLine;

/// <summary>
/// <c>docs/runbook.md</c>, word by word: bash runs its commands in their order against a real cluster, with the product as
/// <c>patronictl</c> and <c>patroni-raft</c> in the path, and every output that the document shows is compared.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class RunbookTests
{
    private const int SecondsPerCommand = 180;

    /// <summary>The runbook, or the document that RUNBOOK_FILE names: for writing the outputs of docs/cli.md.</summary>
    private static string Document => Environment.GetEnvironmentVariable("RUNBOOK_FILE") is { Length: > 0 } other ? other : Path.Combine(Environment.GetEnvironmentVariable("PATRONI_RAFT_ROOT") ?? FindRoot(), "docs", "runbook.md");

    [Fact]
    public async Task Every_command_of_the_runbook_does_what_it_says()
    {
        string document = await File.ReadAllTextAsync(Document);
        IReadOnlyList<RunbookStep> steps = Runbook.Read(document);
        Assert.True(steps.Count > 20, $"{Document} has {steps.Count} commands only");
        var outputs = new Dictionary<int, string>();
        await using var cluster = new TestCluster(new() { Scope = "main", Ttl = 6, LoopWait = 1, RetryTimeout = 1.5 });
        using var product = new ProductOnPath("patronictl", "patroni-raft");
        await using var systemd = new SystemctlStandIn(cluster, product.Directory);
        string settings = Directory.CreateDirectory(Path.Combine(product.Directory, ".config", "patroni")).FullName;
        File.Copy(cluster.File, Path.Combine(settings, "patronictl.yaml"));
        File.Copy(cluster.File, Path.Combine(product.Directory, "main.json"));
        await cluster.RunAsync(async () =>
        {
            foreach (RunbookStep step in steps)
            {
                (int code, string output) = await BashAsync(step.Command, product);
                outputs[step.Line] = output;
                Assert.True(code == 0, $"runbook.md:{step.Line}: '{step.Command}' ended with {code}: {output}");
                if (step.Output.Count > 0 && Environment.GetEnvironmentVariable("RUNBOOK_OUT") is null && Runbook.Difference(step.Output, output) is { } difference)
                    Assert.Fail($"runbook.md:{step.Line}: '{step.Command}' shows something else.\n{difference}\nall of it:\n{output}");
            }
        });
        // For whoever changes the document: the same text with what was really printed.
        if (Environment.GetEnvironmentVariable("RUNBOOK_OUT") is { Length: > 0 } target) await File.WriteAllTextAsync(target, Runbook.Rewrite(document, outputs));
    }

    private static async Task<(int Code, string Output)> BashAsync(string command, ProductOnPath product)
    {
        var start = new ProcessStartInfo("bash", ["--norc", "-c", "exec 2>&1 </dev/null\n" + command]) { RedirectStandardOutput = true, WorkingDirectory = product.Directory };
        product.PutOnPath(start);
        // Of the tests; the product would wonder about it.
        start.Environment.Remove("PATRONI_RAFT_ROOT");
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(SecondsPerCommand));
        try
        {
            string output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, output);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'{command}' did not end within {SecondsPerCommand} s");
        }
    }

    private static string FindRoot()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Patroni.Raft.sln"))) at = Path.GetDirectoryName(at);
        return at ?? throw new InvalidOperationException("no directory above holds Patroni.Raft.sln");
    }
}

/// <summary>
/// <c>systemctl</c> for a test: the three "machines" are one, and a unit is an agent of the test's cluster. start, stop, restart, and
/// kill (which systemd does to all processes of a unit, PostgreSQL's among them).
/// </summary>
internal sealed class SystemctlStandIn : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly TestCluster cluster;
    private readonly string request;
    private readonly Task loop;

    public SystemctlStandIn(TestCluster cluster, string directory)
    {
        this.cluster = cluster;
        request = Path.Combine(directory, "systemctl.request");
        string program = Path.Combine(directory, "systemctl");
        File.WriteAllText(program, $"#!/bin/sh\necho \"$@\" >'{request}.new' && mv '{request}.new' '{request}'\nwhile [ -e '{request}' ]; do sleep 0.1; done\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        loop = Task.Run(ServeAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await ((Task)loop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            if (File.Exists(request))
            {
                string[] words = (await File.ReadAllTextAsync(request)).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                foreach (string unit in words.Where(static word => word.Contains('@'))) await DoAsync(words[0], cluster[unit[(unit.IndexOf('@') + 1)..]]);
                File.Delete(request);
            }
            await ((Task)Task.Delay(50, ending.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task DoAsync(string verb, TestNode node)
    {
        if (verb == "kill") node.Crash();
        if (verb is "stop" or "restart" && node.AgentRuns)
        {
            node.SignalAgent(ProcessControl.SigTerm);
            await node.AgentExitAsync();
        }
        if (verb is "start" or "restart") node.Start();
    }
}
