using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

/// <summary>
/// What operators asked of this node through the API and has not been answered. The HA loop reads it, begins it and settles it; an answer is given
/// only after the snapshot that shows the result is published, so that the next request sees what the answer said.
/// </summary>
internal sealed class OperatorRequests
{
    private PendingRestart? restart;
    private volatile bool cloneWanted;
    private volatile bool cloning;
    private volatile bool cloneFromLeader;

    /// <summary>What the core should decide on; nothing once it began.</summary>
    public NodeRequest Current =>
        cloneWanted ? NodeRequest.Reinitialize : Volatile.Read(ref restart) is { Begun: false } ? NodeRequest.Restart : NodeRequest.None;

    /// <summary>How long the waiting restart may take to start PostgreSQL, in milliseconds; null for the configured time.</summary>
    public long? TimeoutMs => Volatile.Read(ref restart) is { Begun: false } pending ? pending.TimeoutMs : null;

    /// <summary>Whether a clone that an operator asked for is not done.</summary>
    public bool IsCloning => cloning;

    /// <summary>Whether that clone takes the leader's data.</summary>
    public bool CloneFromLeader => cloneFromLeader;

    /// <summary>Notes the request for a restart, or null when one is under way.</summary>
    public PendingRestart? AskRestart(TimeSpan? timeout)
    {
        var pending = new PendingRestart((long?)timeout?.TotalMilliseconds);
        return Interlocked.CompareExchange(ref restart, pending, null) is null ? pending : null;
    }

    /// <summary>Nobody waits for it any more; not begun, it is not done either.</summary>
    public void Forget(PendingRestart pending) => Interlocked.CompareExchange(ref restart, null, pending);

    /// <summary>Notes the request to clone anew.</summary>
    public void AskClone(bool fromLeader)
    {
        cloneFromLeader = fromLeader;
        cloning = true;
        cloneWanted = true;
    }

    /// <summary>An action begins: whatever asked for it is under way.</summary>
    public void Began(NodeAction action)
    {
        if (action is RestartAction begun && Volatile.Read(ref restart) is { } pending)
        {
            pending.AsPrimary = begun.AsPrimaryUnder is not null;
            pending.Begun = true;
        }
        if (action is RemoveDataAction or CloneAction) cloneWanted = false;
    }

    /// <summary>An action ended.</summary>
    public void Ended(ActionKind kind, string? failure)
    {
        if (kind == ActionKind.Restart && Volatile.Read(ref restart) is { Begun: true } pending)
        {
            pending.Failure = failure;
            pending.Ended = true;
        }
        if (kind == ActionKind.Clone && failure is null && !cloneWanted) cloning = cloneFromLeader = false;
    }

    /// <summary>The core refuses what waits.</summary>
    public void Refuse(string reason)
    {
        if (cloneWanted)
        {
            cloneWanted = cloning = cloneFromLeader = false;
            return;
        }
        if (Volatile.Read(ref restart) is { Begun: false } pending) pending.Answer(new(false, reason));
    }

    /// <summary>Answers a restart that ended while PostgreSQL still starts: before anything is done about that, so that the answer does not speak of it.</summary>
    public void SettleStarting()
    {
        if (Volatile.Read(ref restart) is { Ended: true, Failure: null } pending) pending.Answer(new(false, "postgres is still starting"));
    }

    /// <summary>Answers a restart that ended, from a published snapshot whose look at PostgreSQL began after the end.</summary>
    /// <param name="published">The snapshot.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME, milliseconds.</param>
    public void Settle(NodeSnapshot published, long nowMs)
    {
        if (Volatile.Read(ref restart) is not { Ended: true } pending) return;
        if (pending.Failure is { } failure)
        {
            pending.Answer(new(false, $"restart failed: {failure}"));
            return;
        }
        switch (published.Report.State)
        {
            case PostgresState.Running when pending.AsPrimary ? published.IsPrimary(nowMs) : published.Postgres is not null:
                pending.Answer(new(true, "restarted successfully"));
                break;
            case PostgresState.Running when pending.AsPrimary && published.State.Leader != published.Self:
                pending.Answer(new(false, "restart failed: leadership was lost meanwhile"));
                break;
            case PostgresState.Running:
                // The promotion is not recorded yet, or PostgreSQL does not answer yet: the next turn tells.
                break;
            default:
                pending.Answer(new(false, "restart failed: PostgreSQL does not run"));
                break;
        }
    }
}

/// <summary>A restart that an operator waits for.</summary>
/// <param name="timeoutMs">How long the start may take, in milliseconds; null for the configured time.</param>
internal sealed class PendingRestart(long? timeoutMs)
{
    private readonly TaskCompletionSource<OperationResult> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool begun;
    private volatile bool ended;

    public long? TimeoutMs => timeoutMs;

    public bool Begun { get => begun; set => begun = value; }

    public bool Ended { get => ended; set => ended = value; }

    public bool AsPrimary { get; set; }

    public string? Failure { get; set; }

    public Task<OperationResult> Done => done.Task;

    public void Answer(OperationResult result) => done.TrySetResult(result);
}
