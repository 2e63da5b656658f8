namespace Patroni.Raft.Consensus.Log;

/// <summary>One request to the log's writer: executed in order, answered after the fsync that covers it.</summary>
internal abstract class LogOperation
{
    /// <summary>Whether it replaces the segment and therefore must not share a frame.</summary>
    public virtual bool ReplacesSegment => false;

    /// <summary>Checks the rules, then changes the working state and adds records. A refusal must come before the first change.</summary>
    public abstract void Execute(LogWriter writer);

    /// <summary>What was executed is durable.</summary>
    public abstract void Complete();

    public abstract void Fail(Exception error);
}

/// <summary>An operation with a result.</summary>
internal sealed class LogOperation<T>(Func<LogWriter, T> execute, bool replacesSegment) : LogOperation
{
    private readonly TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? result;

    public Task<T> Task => completion.Task;

    public override bool ReplacesSegment => replacesSegment;

    public override void Execute(LogWriter writer) => result = execute(writer);

    public override void Complete() => completion.TrySetResult(result!);

    public override void Fail(Exception error) => completion.TrySetException(error);
}
