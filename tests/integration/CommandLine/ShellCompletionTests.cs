using System.Diagnostics;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.CommandLine;

/// <summary>The completion scripts in the shells they are for; <c>packaging/prerequisites.sh</c> installs zsh and fish.</summary>
public sealed class ShellCompletionTests : IDisposable
{
    private readonly ProductOnPath product = new("patroni-raft");

    public void Dispose() => product.Dispose();

    [Theory]
    [InlineData("patroni-raft swi", "switchover")]
    [InlineData("patroni-raft list --exten", "--extended")]
    [InlineData("patroni-raft history -f ", "json pretty tsv yaml yml")]
    public async Task Bash(string line, string expected)
    {
        string output = await RunAsync("bash", "--norc", "-c", """
            source <(patroni-raft completion bash)
            COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=(patroni-raft) COMP_CWORD=1
            _patroni_raft
            echo "${COMPREPLY[@]}"
            """, "bash", line);
        Assert.Equal(expected, output.Trim());
    }

    [Theory]
    [InlineData("patroni-raft swi", "switchover")]
    [InlineData("patroni-raft raft force-", "force-new-cluster")]
    public async Task Zsh(string line, string expected)
    {
        // A pseudo-terminal with an interactive shell in it; what the completion widget inserts appears in the line.
        string output = await RunAsync("zsh", "-f", "-c", """
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell 'PS1=; autoload -U compinit; compinit -D -u; source <(patroni-raft completion zsh); echo re""ady'
            while zpty -r shell text; do [[ $text == *ready* ]] && break; done
            zpty -w -n shell "$1"$'\t'
            seen=
            while zpty -r shell text "*$2*"; do seen+=$text; [[ $seen == *$2* ]] && break; done
            print -r -- "$seen"
            zpty -d shell
            """, "zsh", line, expected);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("patroni-raft swi", "switchover\tSwitchover to a replica")]
    [InlineData("patroni-raft list --exten", "--extended\tShow some extra information")]
    public async Task Fish(string line, string expected)
    {
        string output = await RunAsync("fish", "--no-config", "-c", "patroni-raft completion fish | source; complete -C \"$argv[1]\"", line);
        Assert.Equal(expected, output.Trim());
    }

    private async Task<string> RunAsync(string shell, params string[] arguments)
    {
        var start = new ProcessStartInfo(shell, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = product.Directory };
        product.PutOnPath(start);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(Wait.Seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{shell} did not end: {await output} {await error}");
        }
        Assert.True(process.ExitCode == 0, $"{shell} ended with {process.ExitCode}: {await error}");
        return await output;
    }
}
