using System.Reflection;
using System.Text;
using System.Text.Json;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    /// <summary>Version of the product.</summary>
    public static string Version { get; } =
        typeof(NodeAgent).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    private MemberReport Report(ClusterState state, Observation seen, FollowMark? followed)
    {
        NodeConfiguration node = configuration.Current;
        LocalPostgres postgres = node.Postgresql!;
        var data = seen.Data as PresentData;
        InstanceStatus? status = seen.Status;
        return new()
        {
            ApiUrl = $"{node.RestApi.Url}/patroni",
            Host = postgres.ConnectAddress.Host,
            Port = postgres.ConnectAddress.Port,
            Incarnation = data?.Incarnation ?? default,
            SystemIdentifier = data?.SystemIdentifier ?? 0,
            State = StateOf(seen),
            Role = RoleOf(seen),
            Timeline = status?.Timeline ?? data?.Timeline ?? default,
            WriteLsn = status is { InRecovery: false } ? status.WriteLsn : default,
            ReceiveLsn = status is { InRecovery: true } ? status.ReceiveLsn ?? default : default,
            ReplayLsn = status is { InRecovery: true } ? status.ReplayLsn ?? default : default,
            ReplicationState = status is not { InRecovery: true } ? ""
                : status.Receiver is { IsStreaming: true } && NodeDecisions.IsOfKnownOrigin(state, followed, seen.Data, seen.Server) ? "streaming"
                : instance.Settings.RecoveryConf.ContainsKey("restore_command") ? "in archive recovery" : "",
            AgentVersion = Version,
            ServerVersion = status?.ServerVersion ?? serverVersion,
            TagsJson = SettingJson.Write(node.Tags.Reported),
            PendingRestartJson = PendingRestart(status),
            Progress = Volatile.Read(ref running)?.Kind is ActionKind.Clone or ActionKind.Rewind or ActionKind.Initialize ? job : "",
            Note = note.Length > 0 ? note : disks.Reason,
            DiskTrouble = disks.Reason,
            FeatureLevel = ClusterStateMachine.SupportedFeatureLevel,
            WatchdogFailed = watchdog.Problem(state.Settings, BootClock.NowMs) is not null,
            Origin = origin,
        };
    }

    private PostgresState StateOf(Observation seen)
    {
        switch (Volatile.Read(ref running)?.Kind)
        {
            case ActionKind.Initialize: return PostgresState.Initializing;
            case ActionKind.Clone or ActionKind.RemoveData: return PostgresState.CreatingReplica;
            case ActionKind.Restart: return PostgresState.Restarting;
            case ActionKind.StartPrimary or ActionKind.StartStandby: return PostgresState.Starting;
            case ActionKind.Stop when seen.Server is not ServerStopped: return PostgresState.Stopping;
        }
        return seen.Server switch
        {
            PrimaryServer or StandbyServer or ServerUnresponsive => PostgresState.Running,
            ServerStarting => PostgresState.Starting,
            // What is left may still commit: nobody may take it for stopped.
            ServerRemnants => PostgresState.Stopping,
            _ => seen.Data switch
            {
                PresentData { ShutDownCleanly: true } => PostgresState.Stopped,
                PresentData when lastAction is { Succeeded: false, Kind: ActionKind.StartPrimary or ActionKind.StartStandby } => PostgresState.StartFailed,
                PresentData => PostgresState.Crashed,
                UnfinishedData { Work: UnfinishedWork.Initialization } => PostgresState.InitdbFailed,
                UnfinishedData => PostgresState.CreatingReplica,
                _ => PostgresState.Uninitialized,
            },
        };
    }

    private static PostgresRole RoleOf(Observation seen) => seen.Server switch
    {
        PrimaryServer => PostgresRole.Primary,
        StandbyServer => PostgresRole.Replica,
        _ => seen.Data switch
        {
            PresentData { IsStandby: false } => PostgresRole.Primary,
            NoData or UnusableData => PostgresRole.Uninitialized,
            _ => PostgresRole.Replica,
        },
    };

    private static string PendingRestart(InstanceStatus? status)
    {
        if (status is null || status.PendingRestart.IsEmpty) return "";
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (PendingSetting setting in status.PendingRestart)
            {
                json.WriteStartObject(setting.Name);
                json.WriteString("old_value", setting.OldValue);
                json.WriteString("new_value", setting.NewValue);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private void PublishSnapshot(NodeView view, Observation seen, Decision decided, long now)
    {
        RaftStatus figures = raft.GetStatus();
        snapshot = new()
        {
            Self = Self,
            Scope = configuration.Current.Scope,
            State = view.State,
            Report = view.Report,
            Postgres = seen.Status,
            ServerVersion = serverVersion,
            LeaseDeadlineMs = keeper.Held?.FenceStartMs,
            FailsafeIsActive = view.Promise is not null || keeper.Held is { ByPromises: true } carried && carried.Permits(now),
            LeaseEpoch = keeper.Held?.Epoch ?? default,
            LastTurnMs = now,
            DcsLastSeenUnixSeconds = figures.Leader is null ? snapshot.DcsLastSeenUnixSeconds : view.UnixNowMs / 1000,
            Rule = decided.Rule,
            Reason = decided.Reason,
            Job = job,
            Raft = RaftViews.Of(figures),
            Upstream = (view.Server as StandbyServer)?.Upstream,
            Log = LogBacklog?.Invoke() ?? default,
        };
        if (view.Report.Role != lastRole)
        {
            LogRole(view.Report.Role);
            lastRole = view.Report.Role;
        }
    }

    [Microsoft.Extensions.Logging.LoggerMessage(Level = Microsoft.Extensions.Logging.LogLevel.Information, Message = "PostgreSQL's role is now {Role}")]
    private partial void LogRole(PostgresRole role);
}
