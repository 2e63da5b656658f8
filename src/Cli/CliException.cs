namespace Patroni.Raft.Cli;

/// <summary>A refusal with one sentence for the user; ends the program with its exit code.</summary>
/// <param name="message">The sentence, without "Error:".</param>
/// <param name="exitCode">1 for a failed operation, 2 for wrong arguments (as patronictl's command line library does).</param>
public class CliException(string message, int exitCode = 1) : Exception(message)
{
    /// <summary>The program's exit code.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>Whoever was asked said no, or did not answer: nothing was done.</summary>
public sealed class CliAbortedException() : CliException("Aborted!");
