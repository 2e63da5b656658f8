using System.Net;
using DotNext.IO;
using DotNext.Net.Cluster.Consensus.Raft.Membership;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Node;

/// <summary>
/// The library's view of the member list. The log is the only source: a list is in force when its entry is in the log, gone when
/// the entry is truncated, and comes with a snapshot. What the library wants to save beside that is ignored.
/// </summary>
internal sealed class ConfigurationFeed : IClusterConfigurationStorage<EndPoint>
{
    private readonly LogStore store;
    private Func<IClusterConfiguration<EndPoint>, CancellationToken, ValueTask>? handlers;

    public ConfigurationFeed(LogStore store)
    {
        this.store = store;
        store.ConfigurationChanged += OnChanged;
    }

    public event Func<IClusterConfiguration<EndPoint>, CancellationToken, ValueTask> ConfigurationChanged
    {
        add => handlers += value;
        remove => handlers -= value;
    }

    public ValueTask<IClusterConfiguration<EndPoint>> LoadConfigurationAsync(CancellationToken token = default)
        => new(store.Configuration.Members);

    ValueTask<(IDataTransferObject Configuration, long Version)> IClusterConfigurationStorage.LoadConfigurationAsync(CancellationToken token)
    {
        var (index, members) = store.Configuration;
        return new ValueTask<(IDataTransferObject, long)>((members, index));
    }

    public ValueTask<bool> SaveConfigurationAsync<TConfiguration>(TConfiguration configuration, long configurationVersion, CancellationToken token = default)
        where TConfiguration : IDataTransferObject
        => new(false);

    public void Dispose() => store.ConfigurationChanged -= OnChanged;

    /// <summary>Runs on the log's writer thread; the library's handler only puts the list into an unbounded queue.</summary>
    private void OnChanged(GroupConfiguration configuration)
    {
        if (handlers is { } present)
        {
            var pending = present(configuration, CancellationToken.None);
            if (!pending.IsCompleted)
            {
                _ = pending.AsTask();
            }
        }
    }
}
