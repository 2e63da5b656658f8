using Patroni.Raft.Agent.Configuration;

namespace Patroni.Raft.Cli.Node;

/// <summary>Puts a node together: configuration, consensus, agent, API.</summary>
public static class NodeHost
{
    /// <summary>Runs until the node is asked to stop or stops itself; returns the program's exit code.</summary>
    public static Task<int> RunAsync(ConfigurationStore configuration, NodeSignals signals)
    {
        _ = signals;
        throw new CliException($"this build cannot run the node {configuration.Current.Name} yet");
    }
}
