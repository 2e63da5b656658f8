using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Provisioning;

namespace Patroni.Raft.Postgres;

/// <summary>What a callback is told.</summary>
public enum CallbackAction
{
    /// <summary>on_start</summary>
    OnStart,
    /// <summary>on_stop</summary>
    OnStop,
    /// <summary>on_restart</summary>
    OnRestart,
    /// <summary>on_reload</summary>
    OnReload,
    /// <summary>on_role_change</summary>
    OnRoleChange,
}

/// <summary>
/// Runs the user's callbacks with the arguments ACTION ROLE SCOPE, in the background. One at a time: a new one kills the
/// running one with everything it started (only the newest state matters); on_reload has a place of its own, so that it
/// does not kill a role change.
/// </summary>
public sealed partial class Callbacks : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ILogger _log;
    private ChildProcess? _running, _reloading;
    private bool _disposed;

    /// <summary>Makes a runner.</summary>
    public Callbacks(ILogger<Callbacks> logger) => _log = logger;

    /// <summary>Starts the callback of an action, if one is configured; returns at once.</summary>
    /// <param name="settings">The callbacks in force now, and the scope.</param>
    /// <param name="action">What happened.</param>
    /// <param name="role">Patroni's name of the role: primary, replica, standby_leader.</param>
    public void Run(PostgresSettings settings, CallbackAction action, string role)
    {
        (string name, string? command) = action switch
        {
            CallbackAction.OnStart => ("on_start", settings.Callbacks.OnStart),
            CallbackAction.OnStop => ("on_stop", settings.Callbacks.OnStop),
            CallbackAction.OnRestart => ("on_restart", settings.Callbacks.OnRestart),
            CallbackAction.OnReload => ("on_reload", settings.Callbacks.OnReload),
            _ => ("on_role_change", settings.Callbacks.OnRoleChange),
        };
        if (command is null) return;
        if (CommandLine.Split(command) is not [var file, .. var arguments])
        {
            LogFailed(name, command, "it is empty or has an unclosed quote");
            return;
        }
        ChildSpec spec = new()
        {
            File = CommandLine.Resolve(file),
            Arguments = [.. arguments, name, role, settings.Scope],
            WorkingDirectory = "/",
            // A file, so that a chatty callback that outlives its output's reader does not die of it.
            LogFile = Path.Combine(settings.StateDirectory, "callbacks.log"),
        };
        lock (_gate)
        {
            if (_disposed) return;
            ref ChildProcess? place = ref action == CallbackAction.OnReload ? ref _reloading : ref _running;
            // Not disposed: its watcher must still reap it.
            place?.KillGroup();
            (place, string? error) = ChildProcess.Start(spec);
            if (place is null) LogFailed(name, command, error!);
            else _ = ReportAsync(place, name, command);
        }
    }

    private async Task ReportAsync(ChildProcess child, string name, string command)
    {
        ProcessExit exit = await child.Exited;
        if (!exit.IsSuccess) LogFailed(name, command, exit.ToString());
    }

    /// <summary>Kills what runs.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _running?.KillGroup();
            _reloading?.KillGroup();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Callback {Name} ({Command}) failed: {Reason}")]
    private partial void LogFailed(string name, string command, string reason);
}
