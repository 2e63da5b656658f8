using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Patroni.Raft.RaftDriver.Harness;

/// <summary>Several driver processes that form one group, in a temporary directory.</summary>
public sealed class DriverGroup : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("raft-group").FullName;
    private readonly List<DriverProcess?> nodes = [];
    private readonly List<TcpListener> reserved = [];
    private readonly string[] extra;

    public DriverGroup(int size, int spare = 0, params string[] extra)
    {
        this.extra = extra;
        Addresses = [.. Enumerable.Range(0, size + spare).Select(_ => ReservePort())];
        Initial = [.. Addresses.Take(size)];
        nodes.AddRange(Enumerable.Repeat<DriverProcess?>(null, size + spare));
        foreach (var listener in reserved)
        {
            listener.Stop();
        }
    }

    public IReadOnlyList<string> Addresses { get; }

    public IReadOnlyList<string> Initial { get; }

    public IEnumerable<int> Running => Enumerable.Range(0, nodes.Count).Where(i => nodes[i] is { HasExited: false });

    public DriverProcess this[int node] => nodes[node] ?? throw new InvalidOperationException($"Node {node} was not started.");

    public string DataOf(int node) => Path.Combine(directory, $"node{node}");

    public static async Task<DriverGroup> StartAsync(int size, int spare = 0, params string[] extra)
    {
        var group = new DriverGroup(size, spare, extra);
        foreach (var node in Enumerable.Range(0, size))
        {
            group.Start(node);
        }

        foreach (var node in Enumerable.Range(0, size))
        {
            await group.ExpectStartedAsync(node);
        }

        await group.LeaderAsync();
        return group;
    }

    public DriverProcess Start(int node, params string[] more)
    {
        nodes[node]?.Dispose();
        string[] arguments = ["--self", Addresses[node], "--members", string.Join(',', Initial), "--data", DataOf(node), .. extra, .. more];
        var process = DriverProcess.Start(arguments);
        nodes[node] = process;
        return process;
    }

    public async Task ExpectStartedAsync(int node)
    {
        var line = await this[node].Started.WaitAsync(TimeSpan.FromSeconds(60));
        if (line != "started")
        {
            throw new InvalidOperationException($"Node {node} did not start: {line}\n{this[node].Errors}");
        }
    }

    /// <summary>Starts a killed node again.</summary>
    public async Task RestartAsync(int node)
    {
        Start(node);
        await ExpectStartedAsync(node);
    }

    public void Kill(int node) => this[node].Kill();

    /// <summary>Waits until some running node leads.</summary>
    public async Task<int> LeaderAsync(int except = -1)
    {
        var found = -1;
        await EventuallyAsync(
            async () =>
            {
                foreach (var node in Running.Where(node => node != except))
                {
                    try
                    {
                        if ((await this[node].StatusAsync(TimeSpan.FromSeconds(2)))["leads"] == "True")
                        {
                            found = node;
                            return true;
                        }
                    }
                    catch (Exception e) when (e is TimeoutException or DriverGoneException)
                    {
                        // Stopped or killed: another one may lead.
                    }
                }

                return false;
            },
            "a leader");
        return found;
    }

    /// <summary>Waits until all running nodes applied the same last index, and returns their states.</summary>
    public async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> ConvergeAsync(TimeSpan? timeout = null)
    {
        IReadOnlyDictionary<string, string>[] states = [];
        try
        {
            await AgreeAsync();
        }
        catch (TimeoutException e)
        {
            var found = states.Select(state => string.Join(' ', state.Select(pair => $"{pair.Key}={pair.Value}")));
            throw new TimeoutException($"{e.Message}:\n{string.Join('\n', found)}\n{string.Join("\n---\n", Running.Select(node => this[node].Errors))}", e);
        }

        return states;

        Task AgreeAsync() => EventuallyAsync(
            async () =>
            {
                states = await Task.WhenAll(Running.Select(node => this[node].StatusAsync()));
                return states.Select(state => state["applied"]).Distinct().Count() == 1
                    && states.All(state => state["applied"] == state["last"]);
            },
            "equal applied indexes",
            timeout);
    }

    public static async Task EventuallyAsync(Func<Task<bool>> condition, string what, TimeSpan? timeout = null)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(60);
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            if (clock.Elapsed > limit)
            {
                throw new TimeoutException($"{what} did not come within {limit.TotalSeconds:F0} s");
            }

            await Task.Delay(20);
        }
    }

    public void Dispose()
    {
        foreach (var node in nodes)
        {
            node?.Dispose();
        }

        Directory.Delete(directory, true);
    }

    private string ReservePort()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        reserved.Add(listener);
        return $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }
}
