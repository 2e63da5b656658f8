using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>The guard's end of one connection; any thread may send.</summary>
internal sealed class GuardConnection(int fd) : IDisposable
{
    private readonly Lock gate = new();
    private int fd = fd;

    /// <summary>The descriptor, for the thread that polls and closes; -1 afterwards.</summary>
    internal int Fd => fd;

    /// <summary>Sends without waiting. An agent that does not read (it is stopped) loses messages, never holds the guard up.</summary>
    internal void Send(GuardMessage message)
    {
        byte[] bytes = GuardCodec.Encode(message);
        lock (gate)
            if (fd >= 0) _ = Libc.Send(fd, bytes);
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (fd >= 0) Libc.Close(fd);
            fd = -1;
        }
    }
}
