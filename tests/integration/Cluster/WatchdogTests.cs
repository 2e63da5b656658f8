using System.Text;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>The kernel's watchdog, played by a named pipe: it is told the timeout, kept alive by a living agent alone, and stopped at the end.</summary>
[Collection(OwnClusters.Name)]
public sealed class WatchdogTests
{
    [Fact]
    public async Task A_required_watchdog_is_there_before_the_promotion_kept_alive_and_stopped_or_there_is_no_promotion()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1, Ttl = 20, LoopWait = 1, RetryTimeout = 3 });
        await cluster.RunAsync(async () =>
        {
            TestNode node = cluster.Nodes[0];
            string device = Path.Combine(cluster.Root, "watchdog");
            cluster.Document["nodes"]![node.Name]!["watchdog"] = new JsonObject { ["mode"] = "required", ["device"] = device, ["safety_margin"] = 6 };
            await File.WriteAllTextAsync(cluster.File, cluster.Document.ToJsonString());
            node.Start();
            await Wait.UntilAsync("the node to say that its watchdog failed", async () => (bool?)(await node.GetAsync("/patroni")).Json?["watchdog_failed"] == true);
            await Wait.UntilAsync("an election in which it declines", async () => (string?)(await node.GetAsync("/patroni")).Json?["raft"]?["rule"] == "election.declined");
            Assert.False(await node.IsPrimaryAsync());

            using var pipe = new WatchdogPipe(device);
            await Wait.UntilAsync("a primary", () => node.IsPrimaryAsync());
            Assert.StartsWith("Ctimeout=14\n", pipe.Text);
            Assert.Null((await node.GetAsync("/patroni")).Json?["watchdog_failed"]);
            await Wait.UntilAsync("to be kept alive", () => pipe.KeepAlives > 2);

            node.SignalAgent(ProcessControl.SigStop);
            await pipe.QuietAsync();
            node.SignalAgent(ProcessControl.SigCont);
            long before = pipe.KeepAlives;
            await Wait.UntilAsync("to be kept alive again", () => pipe.KeepAlives > before);

            Assert.DoesNotContain('V', pipe.Text);
            node.SignalAgent(ProcessControl.SigTerm);
            Assert.Equal(0, await node.AgentExitAsync());
            await Wait.UntilAsync("to be stopped", () => pipe.Text.EndsWith('V'));
        });
    }

    /// <summary>The reading end of the pipe.</summary>
    private sealed class WatchdogPipe : IDisposable
    {
        private readonly StringBuilder text = new();
        private readonly FileStream stream;

        public WatchdogPipe(string path)
        {
            Assert.Equal(0, ProcessControl.MakePipe(path));
            // For writing too, so that it opens at once and never ends.
            stream = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            new Thread(Read) { IsBackground = true }.Start();
        }

        public string Text
        {
            get
            {
                lock (text) return text.ToString();
            }
        }

        public long KeepAlives => Text.Split('\n')[^1].Count(c => c == '1');

        /// <summary>Waits until nothing came for three loops of the agent.</summary>
        public async Task QuietAsync()
        {
            long seen = -1;
            while (KeepAlives != seen)
            {
                seen = KeepAlives;
                await Task.Delay(3_000);
            }
        }

        public void Dispose() => stream.Dispose();

        private void Read()
        {
            byte[] buffer = new byte[256];
            try
            {
                while (stream.Read(buffer) is > 0 and int length)
                    lock (text) text.Append(Encoding.ASCII.GetString(buffer, 0, length));
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }
}
