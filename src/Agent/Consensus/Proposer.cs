using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Consensus;

/// <summary>Makes proposals: ids, retries with the same id, and no second copy of a command that is under way.</summary>
public sealed partial class Proposer(RaftNode raft, ILogger<Proposer> logger)
{
    private readonly ulong proposer = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) >> 1;
    private readonly ConcurrentDictionary<Command, byte> underWay = new();
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(200);
    private long sequence;

    /// <summary>How long a proposal took until its outcome was known; must not block.</summary>
    public event Action<TimeSpan>? Committed;

    /// <summary>A new id; the caller may attach a clock capture to it before it proposes.</summary>
    public CommandId NextId() => new(proposer, (ulong)Interlocked.Increment(ref sequence));

    /// <summary>Proposes and returns the outcome.</summary>
    /// <exception cref="ClusterUnavailableException">No quorum or no answer in time.</exception>
    public async Task<Outcome> ProposeAsync(CommandId id, Command command, TimeSpan timeout, CancellationToken cancellation)
    {
        byte[] entry = CommandCodec.Encode(new(id, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), command));
        try
        {
            long began = Stopwatch.GetTimestamp();
            ReadOnlyMemory<byte> outcome = await raft.ProposeAsync(new(id.Proposer, id.Sequence), entry, timeout, cancellation).ConfigureAwait(false);
            Committed?.Invoke(Stopwatch.GetElapsedTime(began));
            Outcome decoded = CommandCodec.DecodeOutcome(outcome.Span);
            // The outcome comes from the Raft leader; whoever reads this node's state next must find it there.
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(timeout);
            await raft.WaitForAppliedAsync(decoded.Index, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return decoded;
        }
        catch (NoLeaderException error)
        {
            throw new ClusterUnavailableException("The Raft group has no leader that this node can reach: nothing was changed.", error);
        }
        catch (ProposalOutcomeUnknownException error)
        {
            throw new ClusterUnavailableException("The Raft group did not answer in time: the change may still take effect.", error);
        }
        catch (RaftStoppedException error)
        {
            throw new ClusterUnavailableException($"This node's Raft log has stopped: {error.Message}", error);
        }
    }

    /// <summary>Proposes in the background unless an equal command is under way; refusals and failures are logged, their effect is read from the state.</summary>
    /// <param name="command">The command.</param>
    /// <param name="timeout">How long to try.</param>
    /// <param name="beforeProposal">Called with the id before anything is sent; false means that it must not be.</param>
    /// <param name="whenDone">Called afterwards, whatever the result.</param>
    /// <returns>Whether it is on its way because of this call.</returns>
    public bool Post(Command command, TimeSpan timeout, Func<CommandId, bool>? beforeProposal, Action whenDone)
    {
        if (!underWay.TryAdd(command, 0)) return false;
        CommandId id = NextId();
        if (beforeProposal is not null && !beforeProposal(id))
        {
            underWay.TryRemove(command, out _);
            return false;
        }
        _ = RunAsync(id, command, timeout, whenDone);
        return true;
    }

    private async Task RunAsync(CommandId id, Command command, TimeSpan timeout, Action whenDone)
    {
        bool accepted = false;
        try
        {
            Outcome outcome = await ProposeAsync(id, command, timeout, CancellationToken.None).ConfigureAwait(false);
            accepted = outcome.IsAccepted;
            if (!accepted) LogRejected(command.GetType().Name, outcome.Code, outcome.Reason);
        }
        catch (ClusterUnavailableException error)
        {
            LogUnavailable(command.GetType().Name, error.Message);
        }
        // A refusal would only be repeated until the state moves; the pause keeps a decision that has not seen it yet from asking in a circle.
        if (!accepted) await Task.Delay(RefusalPause).ConfigureAwait(false);
        underWay.TryRemove(command, out _);
        whenDone();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Command} was refused ({Code}): {Reason}")]
    private partial void LogRejected(string command, OutcomeCode code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Command} could not be proposed: {Reason}")]
    private partial void LogUnavailable(string command, string reason);
}
