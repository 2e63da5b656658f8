using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;

namespace Patroni.Raft.Agent.Instance;

/// <summary>
/// The parts of src/Postgres that serve one instance, made anew when settings change. The controller stays: it knows the processes.
/// </summary>
public sealed class LocalInstance : IAsyncDisposable
{
    private readonly ILoggerFactory loggers;
    private volatile Parts parts;

    /// <summary>Prepares; touches nothing.</summary>
    public LocalInstance(PostgresSettings settings, GuardKeeper guard, ILoggerFactory loggers)
    {
        this.loggers = loggers;
        Controller = new(settings.DataDir, settings.Binary("postgres"), Path.Combine(settings.StateDirectory, "postgresql.log"), loggers.CreateLogger<InstanceController>(), guard);
        parts = Make(settings);
    }

    /// <summary>Launches, promotes, stops and kills.</summary>
    public InstanceController Controller { get; }

    /// <summary>Settings in force.</summary>
    public PostgresSettings Settings => parts.Settings;

    /// <summary>Writes configuration files.</summary>
    public ServerConfiguration Configuration => parts.Configuration;

    /// <summary>Asks PostgreSQL for its status.</summary>
    public StatusReader Reader => parts.Reader;

    /// <summary>Commands on connections of their own.</summary>
    public InstanceCommands Commands => parts.Commands;

    /// <summary>Log of a component.</summary>
    public ILogger<T> Logger<T>() => loggers.CreateLogger<T>();

    /// <summary>Takes new settings.</summary>
    public async Task ChangeAsync(PostgresSettings settings)
    {
        Parts old = parts;
        parts = Make(settings);
        await old.Reader.DisposeAsync().ConfigureAwait(false);
        await old.Commands.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await parts.Reader.DisposeAsync().ConfigureAwait(false);
        await parts.Commands.DisposeAsync().ConfigureAwait(false);
        Controller.Dispose();
    }

    private static Parts Make(PostgresSettings settings) => new(settings, new(settings), new(settings), new(settings));

    private sealed record Parts(PostgresSettings Settings, ServerConfiguration Configuration, StatusReader Reader, InstanceCommands Commands);
}
