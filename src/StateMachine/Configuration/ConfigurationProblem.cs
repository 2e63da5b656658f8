namespace Patroni.Raft.StateMachine;

/// <summary>What is wrong with a configuration value; callers decide by it, never by the text.</summary>
public enum ConfigurationProblemKind
{
    /// <summary>The document is not readable as YAML or JSON at all.</summary>
    Syntax,

    /// <summary>A key that does not exist, at this place or anywhere.</summary>
    UnknownKey,

    /// <summary>A key that exists, but may not be set in this place (local file or dynamic configuration).</summary>
    NotAllowedHere,

    /// <summary>The value has another type than the key wants.</summary>
    WrongType,

    /// <summary>The value has the right type, and lies outside the allowed range or set.</summary>
    OutOfRange,

    /// <summary>A key that must be present is absent.</summary>
    Missing,

    /// <summary>Values that are fine each, and cannot go together.</summary>
    Conflict,
}

/// <summary>
/// One problem in a configuration. Problems are collected, never thrown, so that a user sees all of them at once.
/// </summary>
/// <param name="Path">Dotted path of the key, <c>postgresql.listen</c>; empty for the whole document.</param>
/// <param name="Message">One sentence for a human; does not repeat the path.</param>
/// <param name="Kind">The class of the problem.</param>
/// <param name="Line">Line in <paramref name="Source"/>, from 1; 0 when the value has no line.</param>
/// <param name="Source">File or environment variable the value came from; <c>null</c> for an API request.</param>
public sealed record ConfigurationProblem(
    string Path, string Message, ConfigurationProblemKind Kind, int Line = 0, string? Source = null)
{
    /// <summary><c>file:line: path: message</c>, leaving out what is unknown.</summary>
    public override string ToString()
    {
        var place = (Source, Line) switch
        {
            (null, _) => "",
            (_, 0) => Source + ": ",
            _ => $"{Source}:{Line}: ",
        };
        return Path.Length == 0 ? place + Message : $"{place}{Path}: {Message}";
    }
}
