using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Loop;

/// <summary>
/// Fences at the deadline on a thread of its own, whatever the HA loop, the thread pool or the log are doing. Armed by declared intent:
/// from before a writable start or promotion until an empty scan.
/// </summary>
public sealed class FenceWatch : IDisposable
{
    private readonly Action<string> fence;
    private readonly Lock gate = new();
    private readonly AutoResetEvent changed = new(false);
    private readonly Thread thread;
    private HeldLease? lease;
    private bool armed;
    private bool disposed;

    /// <summary>Starts the thread.</summary>
    /// <param name="fence">Kills every process of the instance; gets the reason. Called on the watch's thread.</param>
    public FenceWatch(Action<string> fence)
    {
        this.fence = fence;
        thread = new(Run) { IsBackground = true, Name = "fence", Priority = ThreadPriority.Highest };
        thread.Start();
    }

    /// <summary>Whether something of the instance may be writable.</summary>
    public bool IsArmed
    {
        get
        {
            lock (gate) return armed;
        }
    }

    /// <summary>Says that the instance may become writable from now on.</summary>
    public void Arm() => Change(() => armed = true);

    /// <summary>Says that nothing of the instance is left, or that it is a standby.</summary>
    public void Disarm() => Change(() => armed = false);

    /// <summary>Sets the lease proof in force; null for none.</summary>
    public void SetLease(HeldLease? held) => Change(() => lease = held);

    /// <summary>Ends the thread.</summary>
    public void Dispose()
    {
        Change(() => disposed = true);
        thread.Join(TimeSpan.FromSeconds(5));
        changed.Dispose();
    }

    private void Change(Action change)
    {
        lock (gate) change();
        changed.Set();
    }

    private void Run()
    {
        while (true)
        {
            int waitMs;
            string? reason = null;
            lock (gate)
            {
                if (disposed) return;
                waitMs = Timeout.Infinite;
                // Without a proof the HA loop decides (it knows whether the state is current); with one, time decides.
                if (armed && lease is { Unbounded: false } held)
                {
                    long left = held.FenceStartMs - BootClock.NowMs;
                    if (left <= 0) reason = $"the lease of epoch {held.Epoch} is over";
                    else waitMs = (int)Math.Min(left, 60_000);
                }
            }
            if (reason is not null)
            {
                fence(reason);
                waitMs = 100;
            }
            changed.WaitOne(waitMs);
        }
    }
}
