namespace Patroni.Raft.Cli;

/// <summary>Where a command reads and writes; questions have patronictl's form.</summary>
public sealed class Terminal(TextReader input, TextWriter output, TextWriter error, bool interactive)
{
    /// <summary>The process's own streams.</summary>
    public static Terminal Process { get; } = new(Console.In, Console.Out, Console.Error, !Console.IsOutputRedirected);

    /// <summary>Results.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Errors and warnings.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Asks for a text; an empty answer takes the default.</summary>
    /// <exception cref="CliException">The input ended.</exception>
    public string Prompt(string question, string fallback)
    {
        Output.Write($"{question} [{fallback}]: ");
        Output.Flush();
        var answer = ReadLine();
        return answer.Length == 0 ? fallback : answer;
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

    /// <summary>Clears the screen where there is one.</summary>
    public void Clear()
    {
        if (interactive)
        {
            Output.Write("\u001b[2J\u001b[1;1H");
        }
    }

    private string ReadLine()
    {
        if (input.ReadLine() is { } line)
        {
            return line;
        }

        Output.WriteLine();
        throw new CliException("Aborted!");
    }
}
