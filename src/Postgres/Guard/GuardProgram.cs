using System.Collections.Immutable;
using System.Reflection;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>The program <c>patroni-raft guard DATA_DIR</c>. Started by agents only; loads nothing of theirs.</summary>
public static class GuardProgram
{
    /// <summary>The verb.</summary>
    public const string Verb = "guard";
    /// <summary>Another guard of the same data directory lives.</summary>
    public const int AlreadyGuarded = 3;
    private const long GraceMs = 10_000;

    /// <summary>Which build this is: a guard of another one is replaced as soon as nothing depends on it.</summary>
    public static string Version { get; } =
        typeof(GuardProgram).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Guards until nobody needs it.</summary>
    /// <param name="arguments">What follows the verb: the data directory.</param>
    /// <returns>The exit code.</returns>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is not [{ Length: > 0 } dataDir])
        {
            Console.Error.WriteLine("Error: the guard is started by the agent of a node; it takes the data directory");
            return 2;
        }
        // It ends when it is told to, or useless: a signal meant for a whole session or service must not leave PostgreSQL unguarded.
        foreach (int signal in (ReadOnlySpan<int>)[Libc.SigHup, Libc.SigInt, Libc.SigQuit, Libc.SigTerm, Libc.SigPipe]) Libc.Ignore(signal);
        var files = new GuardFiles(dataDir);
        if (files.Prepare() is { } problem)
        {
            Console.Error.WriteLine($"Error: {problem}");
            return 1;
        }
        if (!Libc.TryLockForLife(files.Lock)) return AlreadyGuarded;
        OwnMemory.DropUnchangedPages();
        ImmutableArray<string> notes = GuardPrivileges.Acquire();
        using (var server = new GuardServer(files, Version, notes, GraceMs)) server.Run();
        // Threads that wait for a dead disk must not hold up the end.
        Libc.ExitNow(0);
        return 0;
    }
}
