using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Patroni.Raft.Consensus;

namespace Patroni.Raft.RaftDriver;

/// <summary>Lines in: verb, tag, arguments. Lines out: tag, answer; in any order.</summary>
internal sealed class CommandLoop(RaftNode node, ListMachine machine)
{
    private readonly Lock output = new();

    public async Task RunAsync()
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var parts = line.Split(' ');
            if (parts[0] == "quit")
            {
                return;
            }

            _ = Task.Run(async () => Answer(parts[1], await ExecuteAsync(parts)));
        }
    }

    private void Answer(string tag, string text)
    {
        lock (output)
        {
            Console.Out.WriteLine($"{tag} {text}");
            Console.Out.Flush();
        }
    }

    private async Task<string> ExecuteAsync(string[] parts)
    {
        try
        {
            return parts[0] switch
            {
                "p" => await ProposeAsync(ulong.Parse(parts[2]), ulong.Parse(parts[3]), int.Parse(parts[4]), int.Parse(parts[5])),
                "poison" => await PoisonAsync(),
                "b" => await BarrierAsync(int.Parse(parts[2])),
                "s" => Status(),
                "h" => machine.HashAt(long.Parse(parts[2]))?.ToString(CultureInfo.InvariantCulture) ?? "none",
                "dump" => Dump(parts[2]),
                "fill" => await FillAsync(ulong.Parse(parts[2]), int.Parse(parts[3]), int.Parse(parts[4]), int.Parse(parts[5])),
                "bench" => await BenchAsync(int.Parse(parts[2]), double.Parse(parts[3], CultureInfo.InvariantCulture), int.Parse(parts[4])),
                "add" => (await node.AddMemberAsync(RaftAddress.Parse(parts[2]), CancellationToken.None)).ToString(),
                "remove" => (await node.RemoveMemberAsync(RaftAddress.Parse(parts[2]), CancellationToken.None)).ToString(),
                "transfer" => (await node.TransferAsync(RaftAddress.Parse(parts[2]), TimeSpan.FromSeconds(60), CancellationToken.None)).ToString(),
                "resign" => (await node.ResignAsync(CancellationToken.None)).ToString(),
                var other => $"unknown verb {other}",
            };
        }
        catch (Exception e)
        {
            return $"error {e.GetType().Name} {e.Message}";
        }
    }

    private async Task<string> ProposeAsync(ulong proposer, ulong sequence, int size, int timeoutMilliseconds)
    {
        var id = new ProposalId(proposer, sequence);
        try
        {
            var outcome = await node.ProposeAsync(
                id, ListMachine.Command(id, size), TimeSpan.FromMilliseconds(timeoutMilliseconds), CancellationToken.None);
            return $"ok {BinaryPrimitives.ReadInt32LittleEndian(outcome.Span)}";
        }
        catch (ProposalOutcomeUnknownException)
        {
            return "unknown";
        }
        catch (NoLeaderException)
        {
            return "noleader";
        }
    }

    private async Task<string> PoisonAsync()
    {
        var id = new ProposalId(1, (ulong)Random.Shared.NextInt64());
        var command = ListMachine.Command(id, 32);
        command[16] = 255;
        await node.ProposeAsync(id, command, TimeSpan.FromSeconds(5), CancellationToken.None);
        return "ok";
    }

    private async Task<string> BarrierAsync(int timeoutMilliseconds)
    {
        try
        {
            await node.ReadBarrierAsync(TimeSpan.FromMilliseconds(timeoutMilliseconds), CancellationToken.None);
            return $"ok {machine.State.Count}";
        }
        catch (NoLeaderException)
        {
            return "noleader";
        }
    }

    private string Status()
    {
        var status = node.GetStatus();
        var (index, count, hash) = machine.State;
        var leader = status.Leader is null ? "-" : RaftAddress.Format(status.Leader);
        var members = string.Join(',', node.Members.Select(RaftAddress.Format));
        return $"leads={status.IsLeader} leader={leader} term={status.Term} last={status.LastIndex} commit={status.CommitIndex}"
            + $" applied={status.AppliedIndex} machine={index} count={count} hash={hash} snapshot={status.SnapshotIndex} bytes={status.LogBytes}"
            + $" members={members} removed={node.IsRemoved} member={node.IsMember} generation={status.Generation} cluster={status.ClusterId}"
            + $" duplicates={machine.Duplicates} changes={status.LeadershipChanges} fsync={status.FsyncMean.TotalMilliseconds:F3}"
            + $" threads={ThreadPool.ThreadCount} rss={Environment.WorkingSet / 1024}";
    }

    private string Dump(string path)
    {
        File.WriteAllLines(path, machine.Items().Select(id => $"{id.Proposer} {id.Sequence}"));
        return "ok";
    }

    private async Task<string> FillAsync(ulong proposer, int count, int size, int parallel)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, parallel).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var i && i < count)
            {
                var id = new ProposalId(proposer, (ulong)i);
                await node.ProposeAsync(id, ListMachine.Command(id, size), TimeSpan.FromSeconds(60), CancellationToken.None);
            }
        }));
        return "ok";
    }

    private async Task<string> BenchAsync(int proposers, double seconds, int size)
    {
        var proposer = (ulong)Random.Shared.NextInt64();
        long sequence = 0;
        var all = new List<double>();
        var until = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        await Task.WhenAll(Enumerable.Range(0, proposers).Select(_ => Task.Run(async () =>
        {
            var mine = new List<double>();
            while (Stopwatch.GetTimestamp() < until)
            {
                var id = new ProposalId(proposer, (ulong)Interlocked.Increment(ref sequence));
                var start = Stopwatch.GetTimestamp();
                await node.ProposeAsync(id, ListMachine.Command(id, size), TimeSpan.FromSeconds(30), CancellationToken.None);
                mine.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            lock (all)
            {
                all.AddRange(mine);
            }
        })));
        all.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"count={all.Count} rate={all.Count / seconds:F0} p50={all[all.Count / 2]:F3} p99={all[(int)(all.Count * 0.99)]:F3} max={all[^1]:F1}");
    }
}
