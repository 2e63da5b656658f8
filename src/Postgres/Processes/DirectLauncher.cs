using Patroni.Raft.Postgres.Directories;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>Launches and promotes in this process: in the guard, and where there is none.</summary>
/// <param name="dataDir">The data directory.</param>
/// <param name="veto">Asked once more when all is prepared, right before PostgreSQL is started or told: a reason not to, or null.</param>
internal sealed class DirectLauncher(string dataDir, Func<string?>? veto = null) : ILauncher
{
    public (ProcessWatch? Watch, string? Error) Launch(LaunchOrder order)
    {
        try
        {
            SignalFiles.Prepare(dataDir, order.Request.Mode);
            Directory.CreateDirectory(Path.GetDirectoryName(order.LogFile)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, $"cannot prepare the start in {dataDir}: {e.Message}");
        }
        if (order.Request.Mode == LaunchMode.Primary && veto?.Invoke() is { } reason) return (null, reason);
        (ChildProcess? child, string? error) = ChildProcess.Start(new()
        {
            File = order.ServerBinary,
            Arguments = ["-D", dataDir, .. order.Request.Options],
            WorkingDirectory = dataDir,
            WholeEnvironment = order.Environment,
            LogFile = order.LogFile,
        });
        return (child?.Watch, error);
    }

    public SignalResult Promote(Postmaster postmaster, PromotionMarker marker)
    {
        try
        {
            // The marker is on disk before anything can become writable.
            marker.Write(dataDir);
            if (veto?.Invoke() is { } reason) return new SignalResult.Refused(reason);
            SignalFiles.RequestPromotion(dataDir);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new SignalResult.Refused($"cannot write the promotion files in {dataDir}: {e.Message}");
        }
        return InstanceController.Send(postmaster, Libc.SigUsr1);
    }
}
