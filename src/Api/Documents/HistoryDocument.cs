using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary><c>GET /history</c>: timeline left, position, reason, time, new leader.</summary>
internal static class HistoryDocument
{
    public static void Write(PythonJsonWriter writer, ClusterState state)
    {
        writer.BeginArray();
        foreach (HistoryEntry entry in state.History)
        {
            writer.BeginArray();
            writer.Number(entry.Timeline.Value);
            writer.Number(entry.SwitchLsn.Value);
            writer.Text(entry.Reason);
            writer.Text(PythonTime.IsoFormat(entry.UnixMs));
            writer.Text(entry.NewLeader.Value);
            writer.EndArray();
        }
        writer.EndArray();
    }
}
