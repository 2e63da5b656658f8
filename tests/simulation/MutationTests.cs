using System.Collections.Concurrent;
using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.Simulation;

/// <summary>
/// An oracle that finds nothing proves nothing: every safety rule broken on purpose, around the product and never in it, must be found. <c>MUTATION_SEEDS=n</c>
/// looks longer, <c>MUTATION=name</c> at one rule; the table says which seed found what.
/// </summary>
public sealed class MutationTests(ITestOutputHelper output)
{
    /// <summary>Within how many seeds each must be found, and by which invariants.</summary>
    private static readonly (Mutation Rule, string[] Invariants)[] Rules =
    [
        (Mutation.NoDriftMargin, ["b", "h"]),
        (Mutation.NoKillBudget, ["b", "h"]),
        (Mutation.CaptureAfterAccept, ["b"]),
        (Mutation.RetryWithNewCapture, ["b"]),
        (Mutation.ExpireWithoutIndexCheck, ["b"]),
        (Mutation.ExpireWithoutEpochCheck, ["b"]),
        (Mutation.UnboundedLeaseExpired, ["a", "b", "h"]),
        (Mutation.PrimaryAnsweredPastDeadline, ["a", "b"]),
        (Mutation.AgentKilledWithoutGuard, ["a", "b"]),
        (Mutation.AgentStoppedWithoutGuard, ["a", "b"]),
        (Mutation.GuardNotRestored, ["a", "b"]),
        (Mutation.ArmedByObservation, ["a", "b", "c"]),
        (Mutation.OrphansUnseen, ["a", "b", "c"]),
        (Mutation.ReleaseBeforeStopped, ["c"]),
        (Mutation.StandWithUnknownEnd, ["e"]),
        (Mutation.StandNotFrozen, ["e", "j"]),
        (Mutation.LineageCheckOff, ["e", "g", "j"]),
        (Mutation.MarkerCheckOff, ["e", "g"]),
        (Mutation.PromiseNotKept, ["a", "h"]),
        (Mutation.MajorityPromises, ["a", "h"]),
        (Mutation.CaptureAfterPromises, ["a", "h"]),
        (Mutation.SyncAddBeforeFlush, ["f"]),
        (Mutation.SyncRemovalReversed, ["f"]),
    ];

    /// <summary>Rules whose break needs a rare chain of events: looked for in the long form only, because no bound for the short one has been shown.</summary>
    private static readonly (Mutation Rule, string[] Invariants)[] Rare =
    [
        (Mutation.EpochsReused, ["d"]),
        (Mutation.StaleStandCounted, ["e", "g"]),
        (Mutation.RewindBeforeCheckpoint, ["e", "g", "j"]),
        (Mutation.PromiseNotDurable, ["a", "h"]),
        (Mutation.PromiseWhileStanding, ["a", "h"]),
        (Mutation.TopologyNotEnforced, ["a", "h"]),
        (Mutation.PendingTopologyNotAsked, ["a", "h"]),
    ];

    private static readonly int Seeds =
        int.TryParse(Environment.GetEnvironmentVariable("MUTATION_SEEDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seeds) ? seeds : 250;

    private static bool IsLong => Environment.GetEnvironmentVariable("MUTATION_SEEDS") is not null;

    [Fact]
    public void Every_broken_rule_is_found()
    {
        string? only = Environment.GetEnvironmentVariable("MUTATION");
        (Mutation Rule, string[] Invariants)[] rules = [.. (IsLong ? Rules.Concat(Rare) : Rules).Where(rule => only is null || rule.Rule.ToString() == only)];
        var found = new ConcurrentDictionary<Mutation, SimResult?>();
        Parallel.ForEach(rules, rule => found[rule.Rule] = FirstViolation(rule.Rule));
        output.WriteLine($"{"broken rule",-30} {"seed",6}  found by");
        foreach ((Mutation rule, _) in rules)
            output.WriteLine($"{rule,-30} {found[rule]?.Options.Seed.ToString(CultureInfo.InvariantCulture) ?? "-",6}  {Short(found[rule]?.Violation?.Message ?? $"nothing within {Seeds} seeds")}");
        Assert.Empty(rules.Where(rule => found[rule.Rule]?.Violation is not { } violation || !rule.Invariants.Contains(violation.Invariant)).Select(static rule => rule.Rule));
    }

    [Fact]
    public void Every_rule_has_a_row() => Assert.Equal(Enum.GetValues<Mutation>().Skip(1).Order(), Rules.Concat(Rare).Select(static rule => rule.Rule).Order());

    private static SimResult? FirstViolation(Mutation rule)
    {
        for (ulong seed = 1; seed <= (ulong)Seeds; seed++)
            if (World.Run(SimOptions.Of(seed, rule)) is { Violation: not null } result) return result;
        return null;
    }

    private static string Short(string text) => text.Length > 150 ? text[..150] + "..." : text;
}
