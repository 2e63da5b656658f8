using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>What a primary without quorum asks every member of the topology (Patroni: POST /failsafe).</summary>
/// <param name="Name">The primary.</param>
/// <param name="Epoch">The leadership under which it asks.</param>
/// <param name="TtlMs">How long the answer is to hold, from receipt, in milliseconds.</param>
public sealed record FailsafeQuestion(NodeName Name, Epoch Epoch, long TtlMs);

/// <summary>
/// A promise made by answering yes: until then this node does not stand for election, does not use a leadership that it won meanwhile, and, when it
/// leads the Raft group, does not propose that the lease expires. Durable before the answer is sent.
/// </summary>
/// <param name="Holder">Who was promised.</param>
/// <param name="Epoch">For which leadership.</param>
/// <param name="UntilMs">How long, CLOCK_BOOTTIME milliseconds of the node that promised.</param>
public sealed record FailsafePromise(NodeName Holder, Epoch Epoch, long UntilMs)
{
    /// <summary>Whether it still binds: time runs, and the log does not say that the holder stopped for good.</summary>
    public bool Binds(ClusterState state, long nowMs) =>
        nowMs < UntilMs && !(state.Vacancy is { IsReleased: true } vacancy && vacancy.FormerEpoch >= Epoch);

    /// <summary>Whether the lease must not be expired now, as far as this node has a say in it.</summary>
    public bool Covers(LeaderLease lease, long nowMs) => nowMs < UntilMs && lease.Epoch == Epoch;
}

/// <summary>The answer to a <see cref="FailsafeQuestion"/>.</summary>
/// <param name="Promise">The promise that a yes makes; null for a no.</param>
/// <param name="IsEnabled">Whether failsafe mode is on at all.</param>
/// <param name="Text">Patroni's word for yes, or one sentence why not.</param>
public sealed record FailsafeAnswer(FailsafePromise? Promise, bool IsEnabled, string Text);

/// <summary>What this node knows when it is asked.</summary>
/// <param name="Self">This node.</param>
/// <param name="State">The applied state, read after nothing of this node's own can be decided meanwhile.</param>
/// <param name="MayBeWritable">Whether anything of the own instance may commit.</param>
/// <param name="StoodIn">The vacancy in which this life of the agent proposed a stand last; it counts although the log may not have it yet.</param>
/// <param name="Promise">The promise given before, or null.</param>
public sealed record FailsafeListener(NodeName Self, ClusterState State, bool MayBeWritable, VacancyId? StoodIn, FailsafePromise? Promise);

/// <summary>Whether a node promises a primary without quorum not to stand (architecture, failsafe mode).</summary>
public static class FailsafePromises
{
    /// <summary>The body of a yes.</summary>
    public const string Accepted = "Accepted";

    private const long LongestMs = LeaseTimings.MaxMs;

    /// <summary>Answers.</summary>
    /// <param name="listener">What this node knows.</param>
    /// <param name="question">The question.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds, read at or after the receipt.</param>
    public static FailsafeAnswer Answer(FailsafeListener listener, FailsafeQuestion question, long nowMs)
    {
        if (!listener.State.Settings.FailsafeMode) return new(null, false, "failsafe_mode is not enabled");
        if (Refusal(listener, question) is { } reason) return new(null, true, reason);
        long until = nowMs + question.TtlMs;
        if (listener.Promise is { } known) until = Math.Max(until, known.UntilMs);
        return new(new(question.Name, question.Epoch, until), true, Accepted);
    }

    private static string? Refusal(FailsafeListener listener, FailsafeQuestion question)
    {
        ClusterState state = listener.State;
        if (question.TtlMs is <= 0 or > LongestMs) return $"a promise of {question.TtlMs} ms cannot be given";
        if (question.Name == listener.Self) return $"{listener.Self} cannot be asked by itself";
        if (listener.MayBeWritable) return "Running as a leader";
        if (Newest(listener) is var newest && newest > question.Epoch) return $"epoch {question.Epoch} of {question.Name} is over: {listener.Self} knows of {newest}";
        if (state.Lease is { } lease && lease.Epoch == question.Epoch && lease.Holder != question.Name) return $"epoch {question.Epoch} belongs to {lease.Holder}";
        if (state.Vacancy is not { } vacancy) return null;
        if (vacancy.IsReleased && vacancy.FormerEpoch == question.Epoch) return $"epoch {question.Epoch} was given up by {question.Name}";
        return vacancy.Stands.ContainsKey(listener.Self) || listener.StoodIn == vacancy.Id
            ? $"{listener.Self} stands for election in vacancy {vacancy.Id}"
            : null;
    }

    private static Epoch Newest(FailsafeListener listener)
    {
        ClusterState state = listener.State;
        Epoch newest = state.Lease?.Epoch ?? state.Vacancy?.FormerEpoch ?? default;
        if (state.LatestPromotion is { } promotion && promotion.Epoch > newest) newest = promotion.Epoch;
        return listener.Promise is { } promise && promise.Epoch > newest ? promise.Epoch : newest;
    }
}
