using System.Collections.Concurrent;
using Patroni.Raft.Agent.Node;

namespace Patroni.Raft.Cli.Node;

/// <summary>
/// Lines on their way to the log. Its target may be slow or hang - a pipe nobody reads, a disk in trouble - and whoever logs must not wait for it:
/// a thread of its own writes, and what does not fit meanwhile is lost and counted, as in Patroni (<c>log.max_queue_size</c>).
/// </summary>
internal sealed class LogQueue : IDisposable
{
    private readonly BlockingCollection<string> lines;
    private readonly Thread writer;
    private readonly TimeSpan lastWords;
    private long lost;

    /// <param name="write">Writes one line; it must not throw.</param>
    /// <param name="size">Lines kept at most.</param>
    /// <param name="lastWords">How long the end waits for what is left.</param>
    public LogQueue(Action<string> write, int size, TimeSpan lastWords)
    {
        lines = new(size);
        this.lastWords = lastWords;
        writer = new(() =>
        {
            foreach (string line in lines.GetConsumingEnumerable()) write(line);
        })
        { IsBackground = true, Name = "log" };
        writer.Start();
    }

    /// <summary>Lines waiting, and lines lost since the start.</summary>
    public LogBacklog Backlog => new(lines.Count, Interlocked.Read(ref lost));

    /// <summary>Takes a line, or counts it as lost. Never waits.</summary>
    public void Add(string line)
    {
        try
        {
            if (lines.TryAdd(line)) return;
        }
        catch (InvalidOperationException)
        {
            // The log has ended.
        }
        Interlocked.Increment(ref lost);
    }

    public void Dispose()
    {
        lines.CompleteAdding();
        // The collection is not disposed while a writer that hangs still reads from it.
        if (writer.Join(lastWords)) lines.Dispose();
    }
}
