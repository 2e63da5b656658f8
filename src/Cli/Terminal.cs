using System.Runtime.InteropServices;

namespace Patroni.Raft.Cli;

/// <summary>Where a command reads and writes; questions have patronictl's form.</summary>
/// <param name="input">Answers.</param>
/// <param name="output">Results and questions.</param>
/// <param name="error">Errors and warnings.</param>
/// <param name="interactive">Whether a human sees the output as it is written; else it is plain text for a file or program.</param>
/// <param name="colors">Whether text may carry colors.</param>
public sealed class Terminal(TextReader input, TextWriter output, TextWriter error, bool interactive, bool colors = false)
{
    private const string ClearScreen = "\u001b[2J\u001b[1;1H";

    private bool _drawn;

    /// <summary>The process's own streams.</summary>
    public static Terminal Process { get; } = new(new StandardInput(), Console.Out, Console.Error, !Console.IsOutputRedirected, MayColor());

    /// <summary>Answers, and files given as -.</summary>
    public TextReader Input { get; } = input;

    /// <summary>Results.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Errors and warnings.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>A human sees the output as it is written.</summary>
    public bool IsInteractive => interactive;

    /// <summary>Text may carry colors: a terminal that can, and NO_COLOR is not set.</summary>
    public bool HasColors => colors;

    /// <summary>Asks for a text; an empty answer takes the default, or asks again without one.</summary>
    /// <exception cref="CliException">The input ended.</exception>
    public string Prompt(string question, string? fallback)
    {
        while (true)
        {
            Output.Write(fallback is null ? $"{question}: " : $"{question} [{fallback}]: ");
            Output.Flush();
            var answer = ReadLine();
            if (answer.Length > 0 || fallback is not null)
            {
                return answer.Length == 0 ? fallback! : answer;
            }
        }
    }

    /// <summary>Asks for a text that must not be seen.</summary>
    /// <exception cref="CliException">The input ended.</exception>
    public string PromptHidden(string question)
    {
        if (Input is not StandardInput || Console.IsInputRedirected)
        {
            return Prompt(question, null);
        }

        while (true)
        {
            Output.Write($"{question}: ");
            Output.Flush();
            var answer = ReadHidden();
            Output.WriteLine();
            if (answer.Length > 0)
            {
                return answer;
            }
        }
    }

    /// <summary>Asks yes or no; an empty answer is no.</summary>
    /// <exception cref="CliException">The input ended.</exception>
    public bool Confirm(string question)
    {
        while (true)
        {
            Output.Write($"{question} [y/N]: ");
            Output.Flush();
            switch (ReadLine().Trim().ToLowerInvariant())
            {
                case "y" or "yes":
                    return true;
                case "n" or "no" or "":
                    return false;
                default:
                    Output.WriteLine("Error: invalid input");
                    break;
            }
        }
    }

    /// <summary>
    /// Shows a text in the place of the last one: over it on a terminal, without the flicker of an empty screen; below it elsewhere.
    /// </summary>
    public void Redraw(string text)
    {
        if (interactive)
        {
            // Each line is cut behind its new end, and the screen below the last one.
            text = (_drawn ? "\u001b[H" : ClearScreen) + text.Replace("\n", "\u001b[K\n", StringComparison.Ordinal) + "\u001b[J";
            _drawn = true;
        }

        Output.Write(text);
        Output.Flush();
    }

    private static bool MayColor() => !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    private string ReadLine()
    {
        using var interrupt = Interruptible();
        if (Input.ReadLine() is { } line)
        {
            return line;
        }

        Output.WriteLine();
        throw new CliAbortedException();
    }

    // Ctrl-C at a question ends like the end of the input does.
    private PosixSignalRegistration? Interruptible() => Input is not StandardInput ? null : PosixSignalRegistration.Create(PosixSignal.SIGINT, _ =>
    {
        Output.WriteLine();
        Error.WriteLine("Aborted!");
        Environment.Exit(1);
    });

    private string ReadHidden()
    {
        using var interrupt = Interruptible();
        var text = "";
        while (true)
        {
            var key = Console.ReadKey(intercept: true);
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    return text;
                case ConsoleKey.Backspace:
                    text = text.Length > 0 ? text[..^1] : text;
                    break;
                case ConsoleKey.D when key.Modifiers == ConsoleModifiers.Control && text.Length == 0:
                    Output.WriteLine();
                    throw new CliAbortedException();
                default:
                    text += key.KeyChar >= ' ' ? key.KeyChar : "";
                    break;
            }
        }
    }

    // Opened when the first question is asked: to look at a list must not change the modes of the terminal.
    private sealed class StandardInput : TextReader
    {
        private readonly Lazy<TextReader> _reader = new(static () => new StreamReader(Console.OpenStandardInput()));

        public override int Peek() => _reader.Value.Peek();

        public override int Read() => _reader.Value.Read();

        public override int Read(char[] buffer, int index, int count) => _reader.Value.Read(buffer, index, count);

        public override string? ReadLine() => _reader.Value.ReadLine();

        public override string ReadToEnd() => _reader.Value.ReadToEnd();
    }
}
