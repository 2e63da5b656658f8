using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus.Node;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

public sealed class QuietLoggerTests
{
    [Fact]
    public void Finding_12_a_warning_that_repeats_is_passed_on_once_and_others_always()
    {
        var target = new Counting();
        var logger = new QuietLoggerFactory(target).CreateLogger("library");
        for (var i = 0; i < 1000; i++)
        {
            logger.Log(LogLevel.Warning, 74010, "Cluster member 127.0.0.1:2 is unavailable", new IOException("refused"), (state, _) => state);
        }

        logger.Log(LogLevel.Warning, 74010, "Cluster member 127.0.0.1:3 is unavailable", null, (state, _) => state);
        logger.Log(LogLevel.Information, 74005, "Transition to Leader state has completed with term 7", null, (state, _) => state);
        Assert.Equal(3, target.Count);
        Assert.Null(target.LastError);
    }

    private sealed class Counting : ILoggerFactory, ILogger
    {
        public int Count { get; private set; }

        public Exception? LastError { get; private set; }

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Count++;
            LastError = exception ?? LastError;
        }
    }
}
