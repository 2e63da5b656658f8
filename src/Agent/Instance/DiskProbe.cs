using Microsoft.Win32.SafeHandles;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Instance;

/// <summary>
/// Writes and flushes a small file in some directories again and again, on a thread of its own: a disk that hangs holds up this thread and
/// nothing else. Judges nothing; <see cref="DiskHealth"/> does.
/// </summary>
public sealed class DiskProbe : IDisposable
{
    /// <summary>Name of the file in every probed directory.</summary>
    public const string FileName = "patroni.raft.probe";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly Func<IReadOnlyList<string>> directories;
    private readonly Action ended;
    private readonly ManualResetEventSlim disposed = new(false);
    private volatile DiskProbeResult latest = DiskProbeResult.None;

    /// <summary>Starts probing.</summary>
    /// <param name="directories">Asked before every probe; none means that there is nothing to probe now.</param>
    /// <param name="ended">Called after every probe.</param>
    public DiskProbe(Func<IReadOnlyList<string>> directories, Action ended)
    {
        this.directories = directories;
        this.ended = ended;
        new Thread(Run) { IsBackground = true, Name = "disk-probe" }.Start();
    }

    /// <summary>The latest probe, under way or ended.</summary>
    public DiskProbeResult Latest => latest;

    /// <summary>Ends it; a thread that hangs in the kernel is left behind.</summary>
    public void Dispose() => disposed.Set();

    private void Run()
    {
        while (!disposed.Wait(Interval))
        {
            IReadOnlyList<string> where = directories();
            if (where.Count == 0) continue;
            latest = new(BootClock.NowMs, null, -1, "");
            (long free, string error) = Probe(where);
            latest = latest with { EndedMs = BootClock.NowMs, FreeBytes = free, Error = error };
            ended();
        }
    }

    private static (long Free, string Error) Probe(IReadOnlyList<string> where)
    {
        long free = -1;
        foreach (string directory in where)
        {
            try
            {
                // Before the write: one that fails for want of space is a full disk, not a broken one.
                long here = new DriveInfo(directory).AvailableFreeSpace;
                free = free < 0 ? here : Math.Min(free, here);
                using (SafeFileHandle file = File.OpenHandle(Path.Combine(directory, FileName), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite))
                {
                    RandomAccess.Write(file, Content, 0);
                    RandomAccess.FlushToDisk(file);
                }
            }
            catch (DirectoryNotFoundException)
            {
                // Removed meanwhile, to be cloned anew: nothing to probe.
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                return (free, error.Message);
            }
        }
        return (free, "");
    }

    private static readonly byte[] Content = new byte[4096];
}
