using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Patroni.Raft.Consensus.Node;

/// <summary>
/// Passes the library's log on, but each repeating warning at most once a minute for each text: with one member down it
/// writes 455 lines a second (event 74010, finding 12).
/// </summary>
internal sealed class QuietLoggerFactory(ILoggerFactory inner) : ILoggerFactory
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    public ILogger CreateLogger(string categoryName) => new QuietLogger(inner.CreateLogger(categoryName));

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    public void Dispose()
    {
    }

    private sealed class QuietLogger(ILogger inner) : ILogger
    {
        private const int TextsLimit = 1000;
        private readonly ConcurrentDictionary<(int Event, string Text), long> last = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!inner.IsEnabled(logLevel))
            {
                return;
            }

            if (logLevel >= LogLevel.Information && IsRepeated(eventId.Id, formatter(state, null)))
            {
                return;
            }

            // A stack trace of a refused connection tells nothing; its message does.
            var shown = logLevel < LogLevel.Error ? null : exception;
            inner.Log(logLevel, eventId, state, shown, formatter);
        }

        private bool IsRepeated(int eventId, string text)
        {
            var now = Environment.TickCount64;
            var key = (eventId, text);
            if (last.TryGetValue(key, out var before) && now - before < Interval.TotalMilliseconds)
            {
                return true;
            }

            if (last.Count > TextsLimit)
            {
                last.Clear();
            }

            last[key] = now;
            return false;
        }
    }
}
