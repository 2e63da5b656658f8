using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Node;

/// <summary>Puts a node together: configuration, consensus, agent, API.</summary>
public static class NodeHost
{
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    /// <summary>Runs until the node is asked to stop or stops itself; returns the program's exit code.</summary>
    public static async Task<int> RunAsync(ConfigurationStore configuration, NodeSignals signals)
    {
        NodeConfiguration node = configuration.Current;
        using var trim = new MemoryTrim();
        (ILoggerFactory loggers, Func<LogBacklog> backlog) = NodeLogging.Create(node.Log, node.Name);
        using ILoggerFactory lastWords = loggers;
        (RaftOptions? options, ConfigurationProblem? problem) = AgentSettings.ForRaft(node);
        if (options is null) throw new CliException($"{problem}");
        options = options with { Metadata = ImmutableDictionary<string, string>.Empty.Add("name", node.Name.Value).Add("api_url", node.RestApi.Url) };
        try
        {
            var cluster = new ReplicatedCluster();
            RaftNode raft = await RaftNode.StartAsync(options, cluster, loggers, signals.Stop).ConfigureAwait(false);
            try
            {
                return node.IsWitness
                    ? await RunWitnessAsync(configuration, cluster, raft, signals, loggers, backlog).ConfigureAwait(false)
                    : await RunDataAsync(configuration, cluster, raft, signals, loggers, backlog).ConfigureAwait(false);
            }
            finally
            {
                // The log's thread may hang on its disk, and the process must end all the same, or it keeps its group waiting.
                await raft.DisposeAsync().AsTask().WaitAsync(EndLimit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (RaftStartException error)
        {
            throw new CliException(error.Message);
        }
        catch (ApiStartException error)
        {
            throw new CliException(error.Message);
        }
        catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
        {
            return 0;
        }
    }

    private static async Task<int> RunDataAsync(
        ConfigurationStore configuration, ReplicatedCluster cluster, RaftNode raft, NodeSignals signals, ILoggerFactory loggers, Func<LogBacklog> backlog)
    {
        await using var agent = new NodeAgent(configuration, cluster, raft, GuardCommand.ThisProgram(), loggers) { LogBacklog = backlog };
        await using ApiHost api = await ApiHost.StartAsync(agent, () => ApiSettings.Of(configuration.Current), loggers, signals.Stop).ConfigureAwait(false);
        signals.ReloadRequested += () => Reload(agent, api, loggers);
        using CancellationTokenRegistration stop = signals.Stop.Register(agent.RequestShutdown);
        return await agent.RunAsync().ConfigureAwait(false);
    }

    private static async Task<int> RunWitnessAsync(
        ConfigurationStore configuration, ReplicatedCluster cluster, RaftNode raft, NodeSignals signals, ILoggerFactory loggers, Func<LogBacklog> backlog)
    {
        await using var witness = new WitnessAgent(configuration, cluster, raft, loggers) { LogBacklog = backlog };
        await using ApiHost api = await ApiHost.StartAsync(witness, () => ApiSettings.Of(configuration.Current), loggers, signals.Stop).ConfigureAwait(false);
        signals.ReloadRequested += () => Reload(witness, api, loggers);
        using CancellationTokenRegistration stop = signals.Stop.Register(witness.RequestShutdown);
        return await witness.RunAsync().ConfigureAwait(false);
    }

    /// <summary>SIGHUP does what POST /reload does.</summary>
    private static void Reload(INode node, ApiHost api, ILoggerFactory loggers)
    {
        OperationResult result = node.Reload();
        if (result.Succeeded && api.Reload() is { } problem) result = new(false, problem);
        Report(result, loggers);
    }

    private static void Report(OperationResult result, ILoggerFactory loggers)
    {
        ILogger log = loggers.CreateLogger("Patroni.Raft.Reload");
        if (result.Succeeded) NodeLogging.Reloaded(log);
        else NodeLogging.NotReloaded(log, result.Message);
    }
}
