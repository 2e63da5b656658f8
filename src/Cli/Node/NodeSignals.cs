using System.Runtime.InteropServices;

namespace Patroni.Raft.Cli.Node;

/// <summary>
/// The signals of a running node: SIGTERM and SIGINT ask for an orderly end, SIGHUP for a reload. The default action (dying at
/// once, with PostgreSQL left alone) is suppressed.
/// </summary>
public sealed class NodeSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>Registers the handlers.</summary>
    public NodeSignals()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnStop),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnStop),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
            {
                context.Cancel = true;
                ReloadRequested?.Invoke();
            }),
        ];
    }

    /// <summary>Cancelled at the first SIGTERM or SIGINT.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>SIGHUP arrived; raised on a thread of the pool.</summary>
    public event Action? ReloadRequested;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }

        _stop.Dispose();
    }

    private void OnStop(PosixSignalContext context)
    {
        context.Cancel = true;
        _stop.Cancel();
    }
}
