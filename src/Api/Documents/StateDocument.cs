using System.Text.Json;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary><c>GET /state</c>: the replicated state under the names of Patroni's keys, plus lifecycle, revision and peers.</summary>
internal static class StateDocument
{
    public static void Write(PythonJsonWriter writer, ClusterState state)
    {
        writer.BeginObject();
        writer.Key("initialize").Text(state.SystemIdentifier == 0 ? null : state.SystemIdentifier.ToString());
        writer.Key("leader").Text(state.Leader?.Value);
        WriteStatus(writer, state);
        WriteMembers(writer, state);
        writer.Key("config").Raw(state.Config.Json);
        writer.Key("config_version").Number(state.Config.Version);
        writer.Key("failover");
        WriteFailover(writer, state.Failover);
        WriteSync(writer, state.Sync);
        writer.Key("sync_set").Raw(JsonSerializer.SerializeToUtf8Bytes(state.Sync, StateJson.Default.SyncState));
        writer.Key("history");
        HistoryDocument.Write(writer, state);
        writer.Key("failsafe");
        if (state.FailsafeTopology.IsEmpty) writer.Null();
        else WriteFailsafe(writer, state);
        writer.Key("lifecycle").Raw(JsonSerializer.SerializeToUtf8Bytes(state.Leadership, StateJson.Default.Leadership));
        writer.Key("generation").Number(state.Generation);
        writer.Key("feature_level").Number(state.FeatureLevel);
        writer.Key("revision").Number(state.AppliedIndex);
        writer.Key("peers").BeginObject();
        foreach (Peer peer in state.Peers.Values)
        {
            writer.Key(peer.Name.Value).BeginObject();
            writer.Key("raft_address").Text(peer.RaftAddress);
            writer.Key("api_url").Text(peer.ApiUrl);
            writer.Key("kind").Text(peer.Kind == PeerKind.Witness ? "witness" : "data");
            writer.EndObject();
        }
        writer.EndObject();
        writer.EndObject();
    }

    public static void WriteFailsafe(PythonJsonWriter writer, ClusterState state)
    {
        writer.BeginObject();
        foreach ((NodeName node, string url) in state.FailsafeTopology) writer.Key(node.Value).Text(url);
        writer.EndObject();
    }

    private static void WriteStatus(PythonJsonWriter writer, ClusterState state)
    {
        writer.Key("status").BeginObject();
        writer.Key("optime").Number(ClusterView.LeaderLsn(state).Value);
        writer.Key("slots").BeginObject();
        if (state.Lease is { Slots: { IsDefault: false } slots })
            foreach (SlotPosition slot in slots) writer.Key(slot.Name).Number(slot.Position.Value);
        writer.EndObject();
        writer.EndObject();
    }

    private static void WriteMembers(PythonJsonWriter writer, ClusterState state)
    {
        writer.Key("members").BeginObject();
        foreach (Member member in state.Members.Values)
            writer.Key(member.Name.Value).Raw(JsonSerializer.SerializeToUtf8Bytes(member, StateJson.Default.Member));
        writer.EndObject();
    }

    private static void WriteFailover(PythonJsonWriter writer, FailoverRequest? request)
    {
        if (request is null)
        {
            writer.Null();
            return;
        }
        writer.BeginObject();
        writer.Key("kind").Text(request.Kind == FailoverKind.Switchover ? "switchover" : "failover");
        if (request.Leader is { } leader) writer.Key("leader").Text(leader.Value);
        if (request.Candidate is { } candidate) writer.Key("member").Text(candidate.Value);
        if (request.ScheduledAtText is { } at) writer.Key("scheduled_at").Text(at);
        writer.Key("request").Number(request.RequestIndex);
        writer.EndObject();
    }

    private static void WriteSync(PythonJsonWriter writer, SyncState sync)
    {
        writer.Key("sync").BeginObject();
        writer.Key("leader").Text(sync.Leader?.Value);
        writer.Key("sync_standby").Text(sync.Standbys.IsEmpty ? null : string.Join(',', sync.Standbys.Select(static member => member.Node.Value)));
        writer.Key("quorum").Number(sync.Quorum);
        writer.Key("version").Number(sync.Version);
        writer.EndObject();
    }
}
