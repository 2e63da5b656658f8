namespace Patroni.Raft.StateMachine;

/// <summary>Bytes in the log or a snapshot that this program cannot read. The node stops; it never skips an entry.</summary>
public sealed class UndecodableException : Exception
{
    /// <summary>With a sentence that says what was wrong.</summary>
    public UndecodableException(string message) : base(message) { }

    /// <summary>With a sentence and the cause.</summary>
    public UndecodableException(string message, Exception cause) : base(message, cause) { }
}
