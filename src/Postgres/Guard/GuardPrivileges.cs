using System.Collections.Immutable;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>Makes the guard hard to kill, to swap out and to starve, as far as it is permitted; what is not permitted is only noted.</summary>
internal static class GuardPrivileges
{
    private const string OwnScore = "/proc/self/oom_score_adj";
    private static string? before;

    internal static ImmutableArray<string> Acquire()
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        if (!Libc.BecomeSubreaper()) notes.Add("orphans of PostgreSQL go to another process to be reaped");
        if (Libc.LockMemory() is not 0 and int error) notes.Add($"its memory may be swapped out ({Libc.Describe(error)})");
        try
        {
            before = File.ReadAllText(OwnScore).Trim();
            File.WriteAllText(OwnScore, "-1000");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            before = null;
            notes.Add("it is not exempt from being killed for memory");
        }
        return notes.ToImmutable();
    }

    /// <summary>PostgreSQL is not to inherit the exemption.</summary>
    internal static void RestoreOomScore(int pid)
    {
        if (before is null) return;
        try
        {
            File.WriteAllText($"/proc/{pid}/oom_score_adj", before);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended already.
        }
    }
}
