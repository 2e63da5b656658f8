using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>Reaps every child of the guard: the postmaster, and its orphans, which become the guard's.</summary>
internal sealed class Reaper
{
    private readonly AutoResetEvent begun = new(false);

    internal Reaper() => new Thread(Run, 128 * 1024) { IsBackground = true, Name = "reaper" }.Start();

    /// <summary>There is a child.</summary>
    internal void Begin() => begun.Set();

    private void Run()
    {
        while (true)
        {
            begun.WaitOne();
            // Blocks while there are children; those of a postmaster that was taken over are init's.
            while (Libc.ReapAny(out _) != 0) { }
        }
    }
}
