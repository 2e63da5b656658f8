namespace Patroni.Raft.Cli.Parsing;

/// <summary>The name this program was called by. Installed (or linked) as <c>patronictl</c> it is that program.</summary>
public static class ProgramName
{
    /// <summary>The product.</summary>
    public const string Product = "patroni-raft";

    /// <summary>The name that scripts and habits know.</summary>
    public const string Patronictl = "patronictl";

    /// <summary>The name of this process.</summary>
    public static string Current { get; } = Of(FirstWord());

    /// <summary>The program that a first word of a command line stands for: a path, a link, maybe with .py as in a checkout of Patroni.</summary>
    public static string Of(string? word)
    {
        var name = Path.GetFileName(word);
        return name == Patronictl || name == Patronictl + ".py" ? name : Product;
    }

    // The runtime resolves links and hides the host's own name; the kernel keeps what the caller wrote.
    private static string? FirstWord()
    {
        try
        {
            return File.ReadAllText("/proc/self/cmdline").Split('\0')[0];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Environment.GetCommandLineArgs().FirstOrDefault();
        }
    }
}
