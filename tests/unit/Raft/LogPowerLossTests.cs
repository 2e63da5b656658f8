using Patroni.Raft.Consensus;
using Patroni.Raft.Consensus.Log;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>Power is lost at every single step of scripts that use everything the log does.</summary>
public sealed class LogPowerLossTests : LogTestBase
{
    private static readonly LogStoreOptions SmallRetention = new(RetainedBytes: 120);

    /// <summary>Each operation is acknowledged when its task completes; what it did must be there from then on.</summary>
    private static readonly (string Name, Func<LogStore, Task> Run)[] Script =
    [
        ("become a candidate", log => log.IncrementTermAsync(Self)),
        ("open the term", log => log.AppendOwnAsync(NoOp(1))),
        ("propose", log => log.AppendOwnAsync(Command(1, "one"))),
        ("propose a large one", log => log.AppendOwnAsync(Command(1, new string('x', 3000)))),
        ("propose a member list", log => log.AppendOwnAsync(Members(1, Four))),
        ("hear of a later term", log => log.UpdateTermAsync(3)),
        ("vote", log => log.VoteAsync(Other)),
        ("have entries replaced", log => log.AppendReplicatedAsync(4, [NoOp(3), Command(3, "four"), Command(3, "five"), Command(3, new string('y', 700))])),
        ("take a snapshot", async log =>
        {
            log.TryCommit(6);
            await log.CompactAsync(6, 3, "state at 6"u8.ToArray(), default);
        }),
        ("follow on", log => log.AppendReplicatedAsync(8, [Command(3, "eight"), Members(3, Four)])),
        ("take another snapshot", async log =>
        {
            log.TryCommit(9);
            await log.CompactAsync(9, 3, "state at 9"u8.ToArray(), default);
        }),
        ("be far behind", log => log.InstallAsync(50, 4, Snapshot("state at 50", Trio, 44))),
        ("hear of the next term", log => log.UpdateTermAsync(5)),
        ("go on behind it", log => log.AppendReplicatedAsync(51, [NoOp(5), Command(5, "fifty-two")])),
        ("be behind again, with entries that agree", log => log.InstallAsync(51, 5, Snapshot("state at 51", Trio, 44))),
        ("lead again", async log =>
        {
            await log.IncrementTermAsync(Self);
            await log.AppendOwnAsync(NoOp(6));
        }),
    ];

    [Fact]
    public async Task Acknowledged_operations_survive_a_power_loss_at_every_step_and_unacknowledged_ones_happened_wholly_or_not_at_all()
    {
        var (states, steps) = await RunUndisturbedAsync();
        for (var step = 1; step <= steps; step++)
        {
            for (var seed = 0; seed < 12; seed++)
            {
                await LoseAtAsync(step, seed, states);
            }
        }
    }

    [Fact]
    public async Task Power_lost_during_recovery_after_a_power_loss_changes_nothing()
    {
        var (states, steps) = await RunUndisturbedAsync();
        for (var step = 1; step <= steps; step += 3)
        {
            var (disk, done) = await RunUntilAsync(step);
            var after = disk.AfterPowerLoss(new Random(step));
            for (var again = 1; again <= 6; again++)
            {
                var second = new RecoveringTwice(after, again).Run();
                await AssertStateAsync(second, states, done, $"step {step}, recovery interrupted at {again}");
            }
        }
    }

    private static async Task<(List<string> States, int Steps)> RunUndisturbedAsync()
    {
        var disk = NewDisk();
        var before = disk.Steps;
        var states = new List<string>();
        await using (var log = Open(disk, SmallRetention))
        {
            states.Add(Describe(log));
            foreach (var (_, run) in Script)
            {
                await run(log);
                states.Add(Describe(log));
            }
        }

        return (states, disk.Steps - before);
    }

    private static async Task LoseAtAsync(int step, int seed, List<string> states)
    {
        var (disk, done) = await RunUntilAsync(step);
        var after = disk.AfterPowerLoss(seed == 0 ? null : new Random((step * 1000) + seed));
        await AssertStateAsync(after, states, done, $"step {step}, seed {seed}");
    }

    /// <summary>Runs the script until power is lost, and counts what was acknowledged.</summary>
    private static async Task<(FaultDisk Disk, int Done)> RunUntilAsync(int step)
    {
        var fresh = NewDisk().AfterPowerLoss(null);
        var disk = fresh.WithLossAt(step);
        var done = 0;
        try
        {
            await using var log = Open(disk, SmallRetention);
            foreach (var (_, run) in Script)
            {
                await run(log);
                done++;
            }
        }
        catch (Exception e) when (e is RaftStoppedException or PowerLoss)
        {
        }

        Assert.True(disk.IsLost, $"step {step} was not reached");
        return (disk, done);
    }

    private static async Task AssertStateAsync(FaultDisk disk, List<string> states, int done, string where)
    {
        var found = await DescribeAsync(disk);
        var allowed = new List<string> { states[done] };
        if (done < Script.Length)
        {
            allowed.Add(states[done + 1]);
            allowed.AddRange(Between(done));
        }

        Assert.True(allowed.Contains(found), $"{where}, during \"{Script[Math.Min(done, Script.Length - 1)].Name}\": found\n{found}\nallowed\n{string.Join("\n-- or --\n", allowed)}");

        IEnumerable<string> Between(int operation)
        {
            // The last script step is two operations; after the first of them the term is raised and the vote given.
            if (operation == Script.Length - 1)
            {
                yield return states[operation].Replace("term 5 vote ", $"term 6 vote {Self}", StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Opens a disk, losing power at a step of the recovery itself.</summary>
    private sealed class RecoveringTwice(FaultDisk disk, int step)
    {
        public FaultDisk Run()
        {
            var interrupted = disk.AfterPowerLoss(null).WithLossAt(step);
            try
            {
                LogRecovery.Run(interrupted);
            }
            catch (PowerLoss)
            {
            }

            return interrupted.AfterPowerLoss(new Random(step));
        }
    }
}
