using Microsoft.Extensions.Logging;

namespace Patroni.Raft.RaftDriver;

/// <summary>Warnings (or everything) to stderr.</summary>
internal sealed class StderrLoggers(bool verbose) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new Line(verbose ? LogLevel.Debug : LogLevel.Information);

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    private sealed class Line(LogLevel lowest) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= lowest;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel} {eventId.Id} {formatter(state, exception)} {exception}");
            }
        }
    }
}
