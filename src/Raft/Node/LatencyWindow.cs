namespace Patroni.Raft.Consensus.Node;

/// <summary>Mean and maximum of the last 1,000 measurements.</summary>
internal sealed class LatencyWindow
{
    private readonly Lock sync = new();
    private readonly TimeSpan[] values = new TimeSpan[1000];
    private long count;

    public void Add(TimeSpan value)
    {
        lock (sync)
        {
            values[count++ % values.Length] = value;
        }
    }

    public (TimeSpan Mean, TimeSpan Max) Read()
    {
        lock (sync)
        {
            var used = (int)Math.Min(count, values.Length);
            if (used == 0)
            {
                return default;
            }

            var total = TimeSpan.Zero;
            var max = TimeSpan.Zero;
            for (var i = 0; i < used; i++)
            {
                total += values[i];
                max = values[i] > max ? values[i] : max;
            }

            return (total / used, max);
        }
    }
}
