namespace Patroni.Raft.Cli.Output;

/// <summary>A color of text on a terminal. The text between the escapes stays what it is without them.</summary>
/// <param name="Code">The parameters of SGR (ECMA-48); empty for none.</param>
public readonly record struct Paint(string Code)
{
    /// <summary>As it is.</summary>
    public static Paint None { get; } = new("");

    /// <summary>Who leads.</summary>
    public static Paint Strong { get; } = new("1");

    /// <summary>As it should be; what was added.</summary>
    public static Paint Good { get; } = new("32");

    /// <summary>On its way, or worth a look.</summary>
    public static Paint Notice { get; } = new("33");

    /// <summary>Not as it should be; what was removed.</summary>
    public static Paint Bad { get; } = new("31");

    /// <summary>Places in a text.</summary>
    public static Paint Place { get; } = new("36");

    /// <summary>The text in this color.</summary>
    public string On(string text) => Code is null or "" || text.Length == 0 ? text : $"\u001b[{Code}m{text}\u001b[0m";
}
