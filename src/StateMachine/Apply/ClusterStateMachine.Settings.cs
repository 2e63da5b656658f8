using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static string? ConfigProblem(string json)
    {
        IReadOnlyList<ConfigurationProblem> problems = DynamicConfiguration.Validate(json);
        return problems.Count == 0 ? null : string.Join("; ", problems.Select(static problem => problem.ToString()));
    }

    private static Outcome Patch(Step step, PatchConfig c)
    {
        if (CheckVersion(step, c.ExpectedVersion) is { } refusal) return refusal;
        string? merged = DynamicConfiguration.Patch(step.State.Config.Json, c.PatchJson);
        if (merged is null) return step.Reject(OutcomeCode.InvalidConfiguration, "The patch is not a JSON object.");
        return SetConfig(step, merged, c.PatchJson, "config.patch");
    }

    private static Outcome Replace(Step step, ReplaceConfig c)
    {
        if (CheckVersion(step, c.ExpectedVersion) is { } refusal) return refusal;
        return SetConfig(step, c.ConfigJson, c.ConfigJson, "config.replace");
    }

    private static Outcome? CheckVersion(Step step, long expected) =>
        expected == 0 || expected == step.State.Config.Version
            ? null
            : step.Reject(OutcomeCode.StaleVersion, $"The configuration is at version {step.State.Config.Version}, not {expected}.");

    private static Outcome SetConfig(Step step, string json, string change, string rule)
    {
        if (ConfigProblem(json) is { } problem) return step.Reject(OutcomeCode.InvalidConfiguration, problem);
        if (json == step.State.Config.Json) return step.Accept();
        step.State = step.State with { Config = new(json, step.Index) };
        step.Record(rule, new ConfigChanged(step.Index, Step.Brief(change)));
        return step.Accept();
    }

    private static Outcome SetSync(Step step, SetSyncState c)
    {
        if (step.State.Lease is not { } lease) return step.Illegal();
        if (lease.Epoch != c.Epoch) return step.Reject(OutcomeCode.StaleEpoch, $"The epoch in force is {lease.Epoch}, not {c.Epoch}.");
        if (step.State.Sync.Version != c.ExpectedVersion)
            return step.Reject(OutcomeCode.StaleVersion, $"The synchronous set is at version {step.State.Sync.Version}, not {c.ExpectedVersion}.");
        if (c.Leader is { } leader && leader != lease.Holder)
            return step.Reject(OutcomeCode.NotHolder, $"The synchronous set belongs to {lease.Holder}, not {leader}.");
        if (SyncProblem(c) is { } problem) return step.Reject(OutcomeCode.Invalid, problem);
        Incarnation incarnation = step.State.Members.TryGetValue(lease.Holder, out Member? holder) ? holder.Report.Incarnation : default;
        if (c.Leader is not null && incarnation == Incarnation.None)
            return step.Reject(OutcomeCode.NotReady, $"{lease.Holder} has not reported its data directory.");
        step.State = step.State with { Sync = new(c.Leader, c.Standbys, c.Quorum, step.Index) { LeaderIncarnation = c.Leader is null ? default : incarnation } };
        step.Record("sync.set", new SyncStateChanged(step.State.Sync));
        return step.Accept();
    }

    /// <summary>What would make the arithmetic of an election over this set wrong, or null.</summary>
    private static string? SyncProblem(SetSyncState c)
    {
        if (c.Leader is null && (c.Standbys.Length > 0 || c.Quorum != 0)) return "A synchronous set without a leader has no standbys and no quorum.";
        if (c.Quorum < 0 || c.Quorum > c.Standbys.Length) return $"Quorum {c.Quorum} does not fit {c.Standbys.Length} standbys.";
        for (int i = 0; i < c.Standbys.Length; i++)
        {
            NodeName node = c.Standbys[i].Node;
            if (node == c.Leader) return $"The leader {node} cannot be its own standby.";
            if (c.Standbys[i].Incarnation == Incarnation.None) return $"The synchronous standby {node} has no data.";
            if (i > 0 && c.Standbys[i - 1].Node.CompareTo(node) >= 0) return $"The synchronous standbys are not sorted by name, or {node} is named twice.";
        }
        return null;
    }

    private static Outcome AppendHistory(Step step, AppendHistory c)
    {
        if (step.State.Lease is not { } lease) return step.Illegal();
        if (lease.Epoch != c.Epoch) return step.Reject(OutcomeCode.StaleEpoch, $"The epoch in force is {lease.Epoch}, not {c.Epoch}.");
        TimelineId last = default;
        foreach (HistoryEntry entry in c.Entries)
        {
            if (step.State.LatestPromotion is { } settled && entry.Timeline < settled.Timeline)
                return step.Reject(OutcomeCode.Invalid, $"Timeline {entry.Timeline} precedes the promotion of {settled.Node} to timeline {settled.Timeline}; that history is settled.");
            if (entry.Timeline <= last) return step.Reject(OutcomeCode.Invalid, $"Timeline {entry.Timeline} does not follow {last} in the history.");
            if (string.IsNullOrEmpty(entry.NewLeader.Value)) return step.Reject(OutcomeCode.Invalid, $"The history's row of timeline {entry.Timeline} names no leader.");
            last = entry.Timeline;
        }
        AddHistory(step, c.Entries);
        return step.Accept();
    }

    /// <summary>Rows from the first new one on belong to promotions that never came to be: the holder, whose history this is, does not have them.</summary>
    private static void AddHistory(Step step, ImmutableArray<HistoryEntry> entries)
    {
        if (entries.IsEmpty) return;
        ImmutableArray<HistoryEntry> kept = step.State.History.RemoveAll(entry => entry.Timeline >= entries[0].Timeline);
        int capacity = step.State.Settings.MaxTimelinesHistory;
        step.State = step.State with { History = Bounded(kept.AddRange(entries), capacity > 0 ? capacity : LineageCapacity) };
    }

    private static Outcome SetFailsafe(Step step, SetFailsafeTopology c)
    {
        if (step.State.Lease is not { } lease) return step.Illegal();
        if (lease.Epoch != c.Epoch) return step.Reject(OutcomeCode.StaleEpoch, $"The epoch in force is {lease.Epoch}, not {c.Epoch}.");
        if (!lease.OwnRenewal) return step.Reject(OutcomeCode.NotReady, $"{lease.Holder} has not renewed since it acquired epoch {c.Epoch}.");
        // Only what the present life of the holder's agent sent: it must know every topology that may be in force, and asks all of their members.
        if (lease.RenewedBy.Proposer != step.Id.Proposer)
            return step.Reject(OutcomeCode.LeaseRenewed, $"{lease.Holder} was restarted and renewed at {lease.LastRenewalIndex} since it proposed the topology.");
        if (step.State.FailsafeVersion != c.ExpectedVersion)
            return step.Reject(OutcomeCode.StaleVersion, $"The topology of failsafe mode is at version {step.State.FailsafeVersion}, not {c.ExpectedVersion}.");
        if (!c.Topology.IsEmpty && !c.Topology.ContainsKey(lease.Holder))
            return step.Reject(OutcomeCode.Invalid, $"The topology of failsafe mode lacks the holder {lease.Holder}.");
        if (step.State.FailsafeTopology.SequenceEqual(c.Topology)) return step.Accept();
        step.State = step.State with { FailsafeTopology = c.Topology, FailsafeVersion = step.Index };
        step.Record("failsafe.topology", new FailsafeTopologyChanged([.. c.Topology.Keys]));
        return step.Accept();
    }

    private static Outcome RaiseLevel(Step step, RaiseFeatureLevel c)
    {
        if (c.Level <= step.State.FeatureLevel) return step.Accept();
        foreach (Member member in step.State.Members.Values)
        {
            if (member.Report.FeatureLevel < c.Level)
                return step.Reject(OutcomeCode.FeatureLevel, $"{member.Name} supports feature level {member.Report.FeatureLevel} only.");
        }
        step.State = step.State with { FeatureLevel = c.Level };
        step.Record("cluster.feature-level", new FeatureLevelRaised(c.Level));
        return step.Accept();
    }

    private static Outcome RaiseGeneration(Step step, RaiseGeneration c)
    {
        if (c.Generation <= step.State.Generation)
            return step.Reject(OutcomeCode.StaleVersion, $"The generation is {step.State.Generation} already.");
        step.State = step.State with { Generation = c.Generation };
        step.Record("cluster.generation", new GenerationRaised(c.Generation, Step.Brief(c.Reason)));
        // Who stood may have been rewound or cloned since, in entries that are lost: everybody is asked again, in a vacancy that no old answer names.
        if (step.State.Vacancy is { } vacancy)
        {
            step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
            {
                Id = new(c.Generation, step.Index),
                Stands = vacancy.Stands.Clear(),
                Declines = vacancy.Declines.Clear(),
                NewestAnswers = vacancy.NewestAnswers.Clear(),
                LastAnswerIndex = 0,
                LastFruitlessIndex = 0,
            }));
        }
        return step.Accept();
    }
}
