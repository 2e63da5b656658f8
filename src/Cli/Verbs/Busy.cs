using System.Runtime.InteropServices;
using Spectre.Console;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>Shows on a terminal that something takes its time. Elsewhere nothing is shown, so that output stays what it is.</summary>
internal static class Busy
{
    /// <summary>Waits for <paramref name="work"/> beside a spinner that leaves no trace.</summary>
    public static async Task<T> WhileAsync<T>(string what, Func<Task<T>> work, Terminal terminal)
    {
        if (!terminal.IsInteractive)
        {
            return await work().ConfigureAwait(false);
        }

        using var interrupt = ShowCursorWhenInterrupted(terminal);
        return await Screen(terminal).Status().StartAsync(Markup.Escape(what), _ => work()).ConfigureAwait(false);
    }

    /// <summary>Spectre's view of this terminal.</summary>
    public static IAnsiConsole Screen(Terminal terminal) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(terminal.Output),
        ColorSystem = terminal.HasColors ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
    });

    /// <summary>Spectre hides the cursor while it draws; Ctrl-C must not leave it hidden.</summary>
    public static PosixSignalRegistration ShowCursorWhenInterrupted(Terminal terminal) => PosixSignalRegistration.Create(PosixSignal.SIGINT, _ =>
    {
        terminal.Output.Write("\u001b[?25h\n");
        Environment.Exit(130);
    });
}
