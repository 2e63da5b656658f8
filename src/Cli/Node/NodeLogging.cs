using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Node;

/// <summary>
/// The log of a node: one line an event, to standard error or to files that rotate by size, plain or JSON. A line has the time, the level,
/// the node and the sentence.
/// </summary>
internal static partial class NodeLogging
{
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    /// <summary>The loggers, and what their target has not taken yet. The end of the factory waits for its last lines, but not for ever.</summary>
    public static (ILoggerFactory Loggers, Func<LogBacklog> Backlog) Create(LogSettings settings, NodeName node)
    {
        var logs = new LineLogs(settings, node);
        return (Factory(settings, logs), () => logs.Backlog);
    }

    private static ILoggerFactory Factory(LogSettings settings, LineLogs logs) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(settings.Level);
        // The consensus library reports every missed heartbeat; src/Raft says what matters.
        builder.AddFilter("DotNext", LogLevel.Error).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Error);
        foreach ((string category, string level) in settings.Loggers)
            if (Enum.TryParse(level, true, out LogLevel parsed)) builder.AddFilter(category, parsed);
        builder.AddProvider(logs);
    });

    [LoggerMessage(Level = LogLevel.Information, Message = "The configuration was read again")]
    public static partial void Reloaded(ILogger logger);

    [LoggerMessage(Level = LogLevel.Error, Message = "The configuration was not read again: {Reason}")]
    public static partial void NotReloaded(ILogger logger, string reason);

    private sealed class LineLogs : ILoggerProvider
    {
        private readonly LogSettings settings;
        private readonly NodeName node;
        private readonly LogQueue queue;
        private StreamWriter? file;

        public LineLogs(LogSettings settings, NodeName node)
        {
            this.settings = settings;
            this.node = node;
            queue = new(WriteLine, settings.QueueSize, LastWords);
        }

        public LogBacklog Backlog => queue.Backlog;

        public ILogger CreateLogger(string categoryName) => new LineLog(this, categoryName.StartsWith("Patroni.Raft.", StringComparison.Ordinal)
            ? categoryName[(categoryName.LastIndexOf('.') + 1)..].ToLowerInvariant()
            : categoryName);

        // The file is left to the writer, which may still hang on it; every line was flushed.
        public void Dispose() => queue.Dispose();

        public void Write(LogLevel level, string source, string message, Exception? error) =>
            queue.Add(settings.Json ? Json(level, source, message, error) : Plain(level, source, message, error));

        private void WriteLine(string line)
        {
            try
            {
                TextWriter target = Target();
                target.WriteLine(line);
                target.Flush();
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // A full log disk must not stop the agent.
                try
                {
                    Console.Error.WriteLine(line);
                }
                catch (IOException)
                {
                    // Nobody is left to tell.
                }
            }
        }

        private TextWriter Target()
        {
            if (settings.Directory is not { } directory) return Console.Error;
            if (file is { BaseStream.Length: var length } && length < settings.FileSizeBytes) return file;
            Directory.CreateDirectory(directory);
            string path = Path.Combine(directory, "patroni.log");
            if (file is not null)
            {
                file.Dispose();
                for (int i = settings.FileCount - 1; i > 0; i--)
                    if (File.Exists($"{path}.{i}")) File.Move($"{path}.{i}", $"{path}.{i + 1}", true);
                if (settings.FileCount > 0) File.Move(path, $"{path}.1", true);
                else File.Delete(path);
            }
            return file = new(path, true, new UTF8Encoding(false));
        }

        private string Plain(LogLevel level, string source, string message, Exception? error)
        {
            string time = DateTimeOffset.Now.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
            string text = $"{time} {Name(level)} [{node}] {source}: {message.ReplaceLineEndings(" ")}";
            return error is null ? text : $"{text} ({error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")})";
        }

        private string Json(LogLevel level, string source, string message, Exception? error)
        {
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteString("asctime", DateTimeOffset.Now);
                json.WriteString("levelname", Name(level));
                json.WriteString("node", node.Value);
                json.WriteString("source", source);
                json.WriteString("message", message);
                if (error is not null) json.WriteString("exception", error.ToString());
                json.WriteEndObject();
            }
            return Encoding.UTF8.GetString(buffer.ToArray());
        }

        private static string Name(LogLevel level) => level switch
        {
            LogLevel.Information => "INFO",
            LogLevel.Warning => "WARNING",
            _ => level.ToString().ToUpperInvariant(),
        };
    }

    private sealed class LineLog(LineLogs logs, string source) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logs.Write(logLevel, source, formatter(state, exception), exception);
    }
}
