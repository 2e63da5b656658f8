using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Node;

/// <summary>
/// The log of a node: one line an event, to standard error or to files that rotate by size, plain or JSON. A line has the time, the level,
/// the node and the sentence.
/// </summary>
internal static partial class NodeLogging
{
    public static ILoggerFactory Create(LogSettings settings, NodeName node) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(settings.Level);
        // The consensus library reports every missed heartbeat; src/Raft says what matters.
        builder.AddFilter("DotNext", LogLevel.Error).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Error);
        foreach ((string category, string level) in settings.Loggers)
            if (Enum.TryParse(level, true, out LogLevel parsed)) builder.AddFilter(category, parsed);
        builder.AddProvider(new LineLogs(settings, node));
    });

    [LoggerMessage(Level = LogLevel.Information, Message = "The configuration was read again")]
    public static partial void Reloaded(ILogger logger);

    [LoggerMessage(Level = LogLevel.Error, Message = "The configuration was not read again: {Reason}")]
    public static partial void NotReloaded(ILogger logger, string reason);

    private sealed class LineLogs(LogSettings settings, NodeName node) : ILoggerProvider
    {
        private readonly Lock gate = new();
        private StreamWriter? file;

        public ILogger CreateLogger(string categoryName) => new LineLog(this, categoryName.StartsWith("Patroni.Raft.", StringComparison.Ordinal)
            ? categoryName[(categoryName.LastIndexOf('.') + 1)..].ToLowerInvariant()
            : categoryName);

        public void Dispose() => file?.Dispose();

        public void Write(LogLevel level, string source, string message, Exception? error)
        {
            string line = settings.Json ? Json(level, source, message, error) : Plain(level, source, message, error);
            lock (gate)
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
                    Console.Error.WriteLine(line);
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
