using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class CommandCodec
{
    private static Command ReadBody(ref WireReader r, byte tag) => (CommandTag)tag switch
    {
        CommandTag.ClaimInitialization => new ClaimInitialization(r.Node(), r.Int64(), r.Bool(), r.Int32(), r.Int64()),
        CommandTag.AbandonInitialization => new AbandonInitialization(r.Int64(), r.Text()),
        CommandTag.ExpireInitialization => new ExpireInitialization(r.Int64(), r.Int64()),
        CommandTag.CompleteInitialization => new CompleteInitialization(r.Int64(), r.Node(), r.UInt64(), r.Bool(), r.Text()),
        CommandTag.StandForElection => ReadStand(ref r),
        CommandTag.DeclineElection => new DeclineElection(r.Vacancy(), r.Node(), new(r.UInt64()), r.Text()),
        CommandTag.WithdrawFromElection => new WithdrawFromElection(r.Vacancy(), r.Node(), r.Text()),
        CommandTag.CloseElection => new CloseElection(r.Vacancy()),
        CommandTag.RenewLeader => new RenewLeader(r.Epoch(), r.Node(), r.Int64(), r.Bool(), new(r.UInt64()), ReadSlots(ref r)) { LastRenewalIndex = r.Int64() },
        CommandTag.ReleaseLeader => new ReleaseLeader(r.Epoch(), r.Node(), r.Enum<VacancyReason>(), r.Text(), new(r.UInt64()), r.OptionalNode()),
        CommandTag.ExpireLeader => new ExpireLeader(r.Epoch(), r.Int64(), r.Bool(), r.OptionalNode()),
        CommandTag.ReportPromoted => new ReportPromoted(r.Epoch(), r.Node(), new(r.UInt32()), new(r.UInt32()), new(r.UInt64())),
        CommandTag.ReportCheckpointed => new ReportCheckpointed(r.Epoch(), r.Node(), new(r.UInt64())),
        CommandTag.TouchMember => new TouchMember(r.Node(), ReadReport(ref r)),
        CommandTag.ExpireMember => new ExpireMember(r.Node(), r.Int64()),
        CommandTag.PatchConfig => new PatchConfig(r.Text(), r.Int64()),
        CommandTag.ReplaceConfig => new ReplaceConfig(r.Text(), r.Int64()),
        CommandTag.RequestFailover => new RequestFailover(r.Enum<FailoverKind>(), r.OptionalNode(), r.OptionalNode(), r.OptionalInt64(), r.OptionalText()),
        CommandTag.ClearFailover => new ClearFailover(r.Int64(), r.Text()),
        CommandTag.SetSyncState => ReadSync(ref r),
        CommandTag.AppendHistory => ReadHistory(ref r),
        CommandTag.SetFailsafeTopology => ReadTopology(ref r),
        CommandTag.RegisterPeer => new RegisterPeer(new(r.Node(), r.Text(), r.Text(), r.Enum<PeerKind>())),
        CommandTag.RemovePeer => new RemovePeer(r.Node()),
        CommandTag.RaiseFeatureLevel => new RaiseFeatureLevel(r.Int32()),
        CommandTag.RaiseGeneration => new RaiseGeneration(r.UInt32(), r.Text()),
        CommandTag.WipeCluster => new WipeCluster(r.Text()),
        CommandTag.ScheduleRestart => ReadRestart(ref r),
        CommandTag.ClearRestart => new ClearRestart(r.Node(), r.Int64(), r.Text()),
        CommandTag.ReportFenced => new ReportFenced(r.Node(), new(r.Epoch(), r.Int64(), r.Text(), r.Int32(), r.Int64(), r.Int64(), r.Int32())),
        _ => throw new UndecodableException($"The entry is of kind {tag}, which this program does not know. Upgrade this node."),
    };

    private static StandForElection ReadStand(ref WireReader r)
    {
        VacancyId vacancy = r.Vacancy();
        NodeName node = r.Node();
        Incarnation incarnation = new(r.UInt64());
        TimelineId timeline = new(r.UInt32());
        Lsn end = new(r.UInt64());
        Lsn replay = new(r.UInt64());
        int priority = r.Int32();
        var history = ImmutableArray.CreateBuilder<TimelineFork>(r.Count(12));
        for (int i = 0; i < history.Capacity; i++) history.Add(new(new(r.UInt32()), new(r.UInt64())));
        return new(vacancy, node, incarnation, timeline, end, replay, priority, history.MoveToImmutable());
    }

    private static MemberReport ReadReport(ref WireReader r) => new()
    {
        ApiUrl = r.Text(),
        Host = r.Text(),
        Port = r.Int32(),
        Incarnation = new(r.UInt64()),
        SystemIdentifier = r.UInt64(),
        State = r.Enum<PostgresState>(),
        Role = r.Enum<PostgresRole>(),
        Timeline = new(r.UInt32()),
        WriteLsn = new(r.UInt64()),
        ReceiveLsn = new(r.UInt64()),
        ReplayLsn = new(r.UInt64()),
        ReplicationState = r.Text(),
        AgentVersion = r.Text(),
        ServerVersion = r.Int32(),
        TagsJson = r.Text(),
        PendingRestartJson = r.Text(),
        Progress = r.Text(),
        Note = r.Text(),
        FeatureLevel = r.Int32(),
        Origin = r.Enum<DataOrigin>(),
        DiskTrouble = r.Text(),
        WatchdogFailed = r.Bool(),
    };

    private static ScheduleRestart ReadRestart(ref WireReader r) => new(
        r.Node(), r.Int64(), r.Text(), new(r.Bool() ? r.Enum<PostgresRole>() : null, r.OptionalText(), r.Bool()), r.OptionalInt64(), r.Int64());

    private static SetSyncState ReadSync(ref WireReader r)
    {
        Epoch epoch = r.Epoch();
        long version = r.Int64();
        NodeName? leader = r.OptionalNode();
        var standbys = ImmutableArray.CreateBuilder<SyncMember>(r.Count(12));
        for (int i = 0; i < standbys.Capacity; i++) standbys.Add(new(r.Node(), new(r.UInt64())));
        return new(epoch, version, leader, standbys.MoveToImmutable(), r.Int32());
    }

    private static AppendHistory ReadHistory(ref WireReader r)
    {
        Epoch epoch = r.Epoch();
        var entries = ImmutableArray.CreateBuilder<HistoryEntry>(r.Count(28));
        for (int i = 0; i < entries.Capacity; i++)
            entries.Add(new(new(r.UInt32()), new(r.UInt64()), r.Text(), r.Int64(), r.Node()));
        return new(epoch, entries.MoveToImmutable());
    }

    private static SetFailsafeTopology ReadTopology(ref WireReader r)
    {
        Epoch epoch = r.Epoch();
        long version = r.Int64();
        int count = r.Count(8);
        var topology = ImmutableSortedDictionary.CreateBuilder<NodeName, string>();
        for (int i = 0; i < count; i++) topology[r.Node()] = r.Text();
        return new(epoch, version, topology.ToImmutable());
    }
}
