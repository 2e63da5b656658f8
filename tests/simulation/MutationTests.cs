using System.Collections.Concurrent;
using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.Simulation;

/// <summary>
/// An oracle that finds nothing proves nothing: every safety rule broken on purpose, around the product and never in it, must be found. <c>MUTATION_SEEDS=n</c>
/// looks longer, <c>MUTATION=name</c> at one rule; the table says which seed found what. A rule that others cover is broken together with what covers it, see
/// <see cref="Mutation"/>; the plots are those that the product itself must survive.
/// </summary>
public sealed class MutationTests(ITestOutputHelper output)
{
    /// <summary>In which plot each must be found within <see cref="Seeds"/> seeds, and by which invariants.</summary>
    private static readonly (Mutation Rule, Plot Plot, string[] Invariants)[] Rules =
    [
        (Mutation.NoDriftMargin, Plot.None, ["b", "h"]),
        (Mutation.NoKillBudget, Plot.None, ["b", "h"]),
        (Mutation.CaptureAfterAccept, Plot.None, ["b"]),
        (Mutation.RetryWithNewCapture, Plot.None, ["b"]),
        (Mutation.ExpireWithoutIndexCheck, Plot.None, ["b"]),
        (Mutation.ExpireWithoutEpochCheck, Plot.None, ["b"]),
        (Mutation.UnboundedLeaseExpired, Plot.None, ["a", "b", "h"]),
        (Mutation.AdoptedWithoutDeadline, Plot.None, ["a"]),
        (Mutation.PrimaryAnsweredPastDeadline, Plot.None, ["a", "b"]),
        (Mutation.AgentKilledWithoutGuard, Plot.None, ["a", "b"]),
        (Mutation.AgentStoppedWithoutGuard, Plot.None, ["a", "b"]),
        (Mutation.GuardNotRestored, Plot.None, ["a", "b"]),
        (Mutation.ArmedByObservation, Plot.None, ["a", "b", "c"]),
        (Mutation.OrphansUnseen, Plot.None, ["a", "b", "c"]),
        (Mutation.ReleaseBeforeStopped, Plot.None, ["c"]),
        (Mutation.StandWithUnknownEnd, Plot.None, ["e"]),
        (Mutation.StandNotFrozen, Plot.None, ["e", "j"]),
        (Mutation.LineageCheckOff, Plot.None, ["e", "g", "j"]),
        (Mutation.MarkerCheckOff, Plot.DeafReplicas, ["e", "g"]),
        (Mutation.PromiseNotKept, Plot.None, ["a", "h"]),
        (Mutation.MajorityPromises, Plot.None, ["a", "h"]),
        (Mutation.CaptureAfterPromises, Plot.None, ["a", "h"]),
        (Mutation.SyncAddBeforeFlush, Plot.None, ["f"]),
        (Mutation.SyncRemovalReversed, Plot.None, ["f"]),
        (Mutation.EpochsReused, Plot.FormedAnew, ["d"]),
        (Mutation.StaleStandCounted, Plot.LateStands, ["e", "j"]),
        (Mutation.FollowMarkOff, Plot.DeafReplicas, ["e", "g"]),
        (Mutation.RewindBeforeCheckpoint, Plot.EarlyRejoins, ["j"]),
        (Mutation.PromiseNotDurable, Plot.Promises, ["a", "h"]),
        (Mutation.PromiseWhileStanding, Plot.Promises, ["a", "h"]),
        (Mutation.TopologyNotEnforced, Plot.Topologies, ["a", "h"]),
        (Mutation.PendingTopologyNotAsked, Plot.Topologies, ["a", "h"]),
    ];

    private static readonly int Seeds =
        int.TryParse(Environment.GetEnvironmentVariable("MUTATION_SEEDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seeds) ? seeds : 400;

    [Fact]
    public void Every_broken_rule_is_found()
    {
        string? only = Environment.GetEnvironmentVariable("MUTATION");
        (Mutation Rule, Plot Plot, string[] Invariants)[] rules = [.. Rules.Where(rule => only is null || rule.Rule.ToString() == only)];
        var found = new ConcurrentDictionary<Mutation, SimResult?>();
        Parallel.ForEach(rules, rule => found[rule.Rule] = FirstViolation(rule));
        output.WriteLine($"{"broken rule",-30} {"seed",6}  found by");
        foreach ((Mutation rule, _, _) in rules)
            output.WriteLine($"{rule,-30} {found[rule]?.Options.Seed.ToString(CultureInfo.InvariantCulture) ?? "-",6}  {Short(found[rule]?.Violation?.Message ?? $"nothing within {Seeds} seeds")}");
        if (only is not null)
            foreach ((Mutation rule, _, _) in rules) output.WriteLine(found[rule]?.Report ?? "");
        Assert.Empty(rules.Where(rule => found[rule.Rule] is null).Select(static rule => rule.Rule));
    }

    [Fact]
    public void Every_rule_has_a_row() => Assert.Equal(Enum.GetValues<Mutation>().Skip(1).Order(), Rules.Select(static rule => rule.Rule).Order());

    /// <summary>The first violation of an invariant that the rule protects. One of another is no proof of the rule, and the next seed is tried.</summary>
    private static SimResult? FirstViolation((Mutation Rule, Plot Plot, string[] Invariants) rule)
    {
        for (ulong seed = 1; seed <= (ulong)Seeds; seed++)
            if (World.Run(SimOptions.Of(seed, rule.Rule, rule.Plot)) is { Violation: { } violation } result && rule.Invariants.Contains(violation.Invariant)) return result;
        return null;
    }

    private static string Short(string text) => text.Length > 150 ? text[..150] + "..." : text;
}
