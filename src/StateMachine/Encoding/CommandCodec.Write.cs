namespace Patroni.Raft.StateMachine;

/// <summary>Kinds of entries; numbers are part of the wire format.</summary>
internal enum CommandTag : byte
{
    ClaimInitialization = 1, AbandonInitialization, ExpireInitialization, CompleteInitialization,
    StandForElection, DeclineElection, WithdrawFromElection, CloseElection,
    RenewLeader, ReleaseLeader, ExpireLeader, ReportPromoted, ReportCheckpointed,
    TouchMember, ExpireMember, PatchConfig, ReplaceConfig, RequestFailover, ClearFailover,
    SetSyncState, AppendHistory, SetFailsafeTopology, RegisterPeer, RemovePeer,
    RaiseFeatureLevel, RaiseGeneration, WipeCluster, ScheduleRestart, ClearRestart, ReportFenced,
}

public static partial class CommandCodec
{
    private static CommandTag TagOf(Command command) => command switch
    {
        ClaimInitialization => CommandTag.ClaimInitialization,
        AbandonInitialization => CommandTag.AbandonInitialization,
        ExpireInitialization => CommandTag.ExpireInitialization,
        CompleteInitialization => CommandTag.CompleteInitialization,
        StandForElection => CommandTag.StandForElection,
        DeclineElection => CommandTag.DeclineElection,
        WithdrawFromElection => CommandTag.WithdrawFromElection,
        CloseElection => CommandTag.CloseElection,
        RenewLeader => CommandTag.RenewLeader,
        ReleaseLeader => CommandTag.ReleaseLeader,
        ExpireLeader => CommandTag.ExpireLeader,
        ReportPromoted => CommandTag.ReportPromoted,
        ReportCheckpointed => CommandTag.ReportCheckpointed,
        TouchMember => CommandTag.TouchMember,
        ExpireMember => CommandTag.ExpireMember,
        PatchConfig => CommandTag.PatchConfig,
        ReplaceConfig => CommandTag.ReplaceConfig,
        RequestFailover => CommandTag.RequestFailover,
        ClearFailover => CommandTag.ClearFailover,
        SetSyncState => CommandTag.SetSyncState,
        AppendHistory => CommandTag.AppendHistory,
        SetFailsafeTopology => CommandTag.SetFailsafeTopology,
        RegisterPeer => CommandTag.RegisterPeer,
        RemovePeer => CommandTag.RemovePeer,
        RaiseFeatureLevel => CommandTag.RaiseFeatureLevel,
        RaiseGeneration => CommandTag.RaiseGeneration,
        WipeCluster => CommandTag.WipeCluster,
        ScheduleRestart => CommandTag.ScheduleRestart,
        ClearRestart => CommandTag.ClearRestart,
        ReportFenced => CommandTag.ReportFenced,
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no wire tag."),
    };

    private static void WriteBody(WireWriter w, Command command)
    {
        switch (command)
        {
            case ClaimInitialization c: w.Node(c.Node); w.Int64(c.ClaimIndex); w.Bool(c.HasData); w.Int32(c.ExpectedPeers); w.Int64(c.TtlMs); break;
            case AbandonInitialization c: w.Int64(c.ClaimIndex); w.Text(c.Reason); break;
            case ExpireInitialization c: w.Int64(c.ClaimIndex); w.Int64(c.LastRenewalIndex); break;
            case CompleteInitialization c: w.Int64(c.ClaimIndex); w.Node(c.Node); w.UInt64(c.SystemIdentifier); w.Bool(c.GrantLeadership); w.Text(c.ConfigJson); break;
            case StandForElection c: WriteStand(w, c); break;
            case DeclineElection c: w.Vacancy(c.Vacancy); w.Node(c.Node); w.UInt64(c.Incarnation.Value); w.Text(c.Reason); break;
            case WithdrawFromElection c: w.Vacancy(c.Vacancy); w.Node(c.Node); w.Text(c.Reason); break;
            case CloseElection c: w.Vacancy(c.Vacancy); break;
            case RenewLeader c: w.Epoch(c.Epoch); w.Node(c.Node); w.Int64(c.TtlMs); w.Bool(c.Unbounded); w.UInt64(c.LastLsn.Value); WriteSlots(w, c.Slots); w.Int64(c.LastRenewalIndex); break;
            case ReleaseLeader c: w.Epoch(c.Epoch); w.Node(c.Node); w.Byte((byte)c.Reason); w.Text(c.Detail); w.UInt64(c.ShutdownLsn.Value); w.OptionalNode(c.Candidate); break;
            case ExpireLeader c: w.Epoch(c.Epoch); w.Int64(c.LastRenewalIndex); w.Bool(c.Force); w.OptionalNode(c.By); break;
            case ReportPromoted c: w.Epoch(c.Epoch); w.Node(c.Node); w.UInt32(c.Timeline.Value); w.UInt32(c.ParentTimeline.Value); w.UInt64(c.ForkLsn.Value); break;
            case ReportCheckpointed c: w.Epoch(c.Epoch); w.Node(c.Node); w.UInt64(c.CheckpointLsn.Value); break;
            case TouchMember c: w.Node(c.Node); WriteReport(w, c.Report); break;
            case ExpireMember c: w.Node(c.Node); w.Int64(c.LastTouchIndex); break;
            case PatchConfig c: w.Text(c.PatchJson); w.Int64(c.ExpectedVersion); break;
            case ReplaceConfig c: w.Text(c.ConfigJson); w.Int64(c.ExpectedVersion); break;
            case RequestFailover c: w.Byte((byte)c.Kind); w.OptionalNode(c.Leader); w.OptionalNode(c.Candidate); w.OptionalInt64(c.ScheduledAtUnixMs); w.OptionalText(c.ScheduledAtText); break;
            case ClearFailover c: w.Int64(c.RequestIndex); w.Text(c.Reason); break;
            case SetSyncState c: WriteSync(w, c); break;
            case AppendHistory c: WriteHistory(w, c); break;
            case SetFailsafeTopology c:
                w.Epoch(c.Epoch);
                w.Int64(c.ExpectedVersion);
                w.Int32(c.Topology.Count);
                foreach ((NodeName node, string url) in c.Topology) { w.Node(node); w.Text(url); }
                break;
            case RegisterPeer c: w.Node(c.Peer.Name); w.Text(c.Peer.RaftAddress); w.Text(c.Peer.ApiUrl); w.Byte((byte)c.Peer.Kind); break;
            case RemovePeer c: w.Node(c.Node); break;
            case RaiseFeatureLevel c: w.Int32(c.Level); break;
            case RaiseGeneration c: w.UInt32(c.Generation); w.Text(c.Reason); break;
            case WipeCluster c: w.Text(c.Reason); break;
            case ScheduleRestart c: WriteRestart(w, c); break;
            case ClearRestart c: w.Node(c.Node); w.Int64(c.RequestIndex); w.Text(c.Reason); break;
            case ReportFenced { Fence: var f } c:
                w.Node(c.Node);
                w.Epoch(f.Epoch);
                w.Int64(f.AtUnixMs);
                w.Text(f.Reason);
                w.Int32(f.Killed);
                w.Int64(f.SignalledMs);
                w.Int64(f.ElapsedMs);
                w.Int32(f.Left);
                break;
        }
    }

    private static void WriteStand(WireWriter w, StandForElection c)
    {
        w.Vacancy(c.Vacancy);
        w.Node(c.Node);
        w.UInt64(c.Incarnation.Value);
        w.UInt32(c.Timeline.Value);
        w.UInt64(c.EndOfWal.Value);
        w.UInt64(c.ReplayLsn.Value);
        w.Int32(c.FailoverPriority);
        w.Int32(c.History.Length);
        foreach (TimelineFork fork in c.History)
        {
            w.UInt32(fork.Timeline.Value);
            w.UInt64(fork.SwitchLsn.Value);
        }
    }

    private static void WriteReport(WireWriter w, MemberReport r)
    {
        w.Text(r.ApiUrl);
        w.Text(r.Host);
        w.Int32(r.Port);
        w.UInt64(r.Incarnation.Value);
        w.UInt64(r.SystemIdentifier);
        w.Byte((byte)r.State);
        w.Byte((byte)r.Role);
        w.UInt32(r.Timeline.Value);
        w.UInt64(r.WriteLsn.Value);
        w.UInt64(r.ReceiveLsn.Value);
        w.UInt64(r.ReplayLsn.Value);
        w.Text(r.ReplicationState);
        w.Text(r.AgentVersion);
        w.Int32(r.ServerVersion);
        w.Text(r.TagsJson);
        w.Text(r.PendingRestartJson);
        w.Text(r.Progress);
        w.Text(r.Note);
        w.Int32(r.FeatureLevel);
        w.Byte((byte)r.Origin);
        w.Text(r.DiskTrouble);
        w.Bool(r.WatchdogFailed);
    }

    private static void WriteRestart(WireWriter w, ScheduleRestart c)
    {
        w.Node(c.Node);
        w.Int64(c.AtUnixMs);
        w.Text(c.AtText);
        w.Bool(c.Conditions.Role is not null);
        if (c.Conditions.Role is { } role) w.Byte((byte)role);
        w.OptionalText(c.Conditions.PostgresVersion);
        w.Bool(c.Conditions.PendingOnly);
        w.OptionalInt64(c.TimeoutMs);
        w.Int64(c.PostmasterStartUnixUs);
    }

    private static void WriteSync(WireWriter w, SetSyncState c)
    {
        w.Epoch(c.Epoch);
        w.Int64(c.ExpectedVersion);
        w.OptionalNode(c.Leader);
        w.Int32(c.Standbys.Length);
        foreach (SyncMember member in c.Standbys)
        {
            w.Node(member.Node);
            w.UInt64(member.Incarnation.Value);
        }
        w.Int32(c.Quorum);
    }

    private static void WriteHistory(WireWriter w, AppendHistory c)
    {
        w.Epoch(c.Epoch);
        w.Int32(c.Entries.Length);
        foreach (HistoryEntry entry in c.Entries)
        {
            w.UInt32(entry.Timeline.Value);
            w.UInt64(entry.SwitchLsn.Value);
            w.Text(entry.Reason);
            w.Int64(entry.UnixMs);
            w.Node(entry.NewLeader);
        }
    }
}
