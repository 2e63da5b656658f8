using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Outcome of a rewind.</summary>
public abstract record RewindResult
{
    private RewindResult() { }
    /// <summary>The directory can follow the leader as it is.</summary>
    public sealed record NotNeeded(string Reason) : RewindResult;
    /// <summary>Its content is the leader's now; start it as a standby with a configuration written anew.</summary>
    /// <param name="Why">What had diverged.</param>
    /// <param name="Incarnation">The new life of the directory.</param>
    public sealed record Done(string Why, Incarnation Incarnation) : RewindResult;
    /// <summary>It failed and may be tried again.</summary>
    /// <param name="Reason">One sentence.</param>
    /// <param name="DirectoryIsHalfDone">Whether files were changed: then it must be rewound again or recloned, never started.</param>
    public sealed record Failed(string Reason, bool DirectoryIsHalfDone) : RewindResult;
    /// <summary>It will never work here: only a clone helps.</summary>
    public sealed record Impossible(string Reason) : RewindResult;
}

/// <summary>
/// Brings a former primary back under a new one: decides whether its WAL diverged, lets crash recovery run first where needed,
/// runs pg_rewind. A durable marker names the directory as half done from the first change to the last fsync.
/// </summary>
public sealed partial class Rewinder(PostgresSettings settings, ILogger<Rewinder> logger)
{
    private static readonly string[] ReservedOptions =
        ["target-pgdata", "source-pgdata", "source-server", "write-recovery-conf", "dry-run", "restore-target-wal", "config-file", "no-ensure-shutdown", "no-sync", "version", "help"];

    private readonly ServerConfiguration _configuration = new(settings);

    /// <summary>The output of crash recovery and pg_rewind, of the last run.</summary>
    public string LogFile => Path.Combine(settings.StateDirectory, "pg_rewind.log");

    /// <summary>Rewinds if needed.</summary>
    /// <param name="leader">Address of the primary to follow.</param>
    /// <param name="proof">That no process of our instance runs.</param>
    /// <param name="mark">The newest promotion that was recorded when the rewind began; null when nobody keeps a record.</param>
    /// <param name="cancel">Kills what runs; the directory then counts as half done.</param>
    public async Task<RewindResult> RunAsync(PostgresAddress leader, VerifiedStopped proof, FollowMark? mark = null, CancellationToken cancel = default)
    {
        proof.Require(settings.DataDir);
        DirectoryState state = await DataDirectory.InspectAsync(settings, cancel);
        bool again = state is DirectoryState.HalfDone { Work.Kind: DirectoryWorkKind.Rewind };
        if (state is not DirectoryState.Valid && !again) return new RewindResult.Impossible($"{settings.DataDir} is not a whole data directory: {state}");
        (ControlData? control, string? error) = await DataDirectory.ReadControlDataAsync(settings, cancel);
        if (control is null) return new RewindResult.Impossible(error!);
        (LeaderInspection? source, error) = await LeaderInspection.ReadAsync(leader, settings.RewindCredentials, settings.Database, TimeSpan.FromSeconds(10), cancel);
        if (source is null) return new RewindResult.Failed($"cannot ask the leader: {error}", again);
        if (source.SystemIdentifier != control.SystemIdentifier)
            return new RewindResult.Impossible($"{settings.DataDir} has system identifier {control.SystemIdentifier}, but the leader's is {source.SystemIdentifier}: they are different clusters");
        if (source.InRecovery) return new RewindResult.Failed($"{leader} is in recovery: it is not the primary", again);
        if (!source.HasCheckpointed)
            return new RewindResult.Failed($"{leader} has not written a checkpoint on its timeline {source.History.Timeline} yet", again);
        string why = "an earlier rewind was interrupted";
        if (!again)
        {
            switch (await Divergence.CheckAsync(settings, control, source.History, cancel))
            {
                case DivergenceResult.Contained contained: return new RewindResult.NotNeeded(contained.Reason);
                case DivergenceResult.Unknown unknown: return new RewindResult.Failed(unknown.Reason, false);
                case DivergenceResult.Diverged diverged: why = diverged.Reason; break;
            }
        }
        if (Obstacle(control) is { } obstacle) return new RewindResult.Impossible($"{why}; {obstacle}");
        LogRewinding(settings.DataDir, why);
        try
        {
            return await RewindAsync(leader, control, why, again, mark, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new RewindResult.Failed(e.Message, DirectoryWork.Find(settings.StateDirectory, settings.DataDir) is not null);
        }
    }

    private string? Obstacle(ControlData control) =>
        !settings.UsePgRewind ? "postgresql.use_pg_rewind is off"
        : !control.AllowsRewind ? "pg_rewind needs data checksums or wal_log_hints, and this cluster has neither"
        : Libc.Access(settings.Binary("pg_rewind"), 1) != 0 ? $"{settings.Binary("pg_rewind")} is missing or not executable"
        : settings.RewindOptions.FirstOrDefault(o => ReservedOptions.Contains(o.Name)) is { } option ? $"postgresql.rewind: option '{option.Name}' is set by the agent and cannot be given"
        : null;

    private async Task<RewindResult> RewindAsync(PostgresAddress leader, ControlData control, string why, bool again, FollowMark? mark, CancellationToken cancel)
    {
        // Single-user mode, which crash recovery needs, refuses to start with standby.signal there (measured).
        SignalFiles.RemoveRecovery(settings.DataDir);
        DurableFile.Write(LogFile, "");
        if (!control.IsCleanShutdown && !again && await RecoverAsync(control, cancel) is { } recoveryError)
            return new RewindResult.Failed(recoveryError, false);
        DirectoryWork.Begin(settings.StateDirectory, DirectoryWorkKind.Rewind, settings.DataDir, leader.ToString());
        string passFile = Path.Combine(settings.StateDirectory, "rewind-pgpass");
        PassFile.Write(passFile, [new(leader, settings.RewindCredentials)]);
        ToolResult result;
        try
        {
            result = await Tool.RunAsync(RewindSpec(leader, control, passFile), cancel: cancel);
        }
        finally
        {
            File.Delete(passFile);
        }
        await File.AppendAllTextAsync(LogFile, result.Output, CancellationToken.None);
        if (!result.IsSuccess)
        {
            // It announces the point of divergence before it changes the first file; without that line nothing was touched.
            bool touched = again || result.Output.Contains("diverged", StringComparison.Ordinal) || result.Exit is null;
            if (!touched) DirectoryWork.Abandon(settings.StateDirectory);
            LogFailed(settings.DataDir, result.Describe());
            return new RewindResult.Failed($"pg_rewind failed ({result.Describe()}); its output is in {LogFile}", touched);
        }
        Incarnation incarnation = DirectoryWork.CompleteCopy(settings, mark);
        LogDone(settings.DataDir, leader.ToString());
        return new RewindResult.Done(why, incarnation);
    }

    private ChildSpec RewindSpec(PostgresAddress leader, ControlData control, string passFile)
    {
        List<KeyValuePair<string, string>> conninfo = Conninfo.Pairs(leader, settings.RewindCredentials, settings.Database, passFile, control.MajorVersion);
        conninfo.Add(new("target_session_attrs", "read-write"));
        List<string> arguments = ["-D", settings.DataDir, $"--source-server={Conninfo.Format(conninfo)}", "--no-sync"];
        bool outside = settings.EffectiveConfigDir != settings.DataDir;
        // The target's own restore_command may bring back WAL that it has recycled; before 15 it is found only in the data directory.
        if (settings.RecoveryConf.ContainsKey("restore_command") && (control.MajorVersion >= 15 || control.MajorVersion >= 13 && !outside))
            arguments.Add("--restore-target-wal");
        if (outside && control.MajorVersion >= 15) arguments.Add($"--config-file={_configuration.ConfigurationFile}");
        arguments.AddRange(settings.RewindOptions.Select(option => option.ToString()));
        return new()
        {
            File = settings.Binary("pg_rewind"),
            Arguments = arguments,
            WorkingDirectory = settings.DataDir,
            Environment = new Dictionary<string, string>(Tool.CLocale) { ["PGOPTIONS"] = "-c statement_timeout=0" },
        };
    }

    /// <summary>
    /// Crash recovery in single-user mode; returns what went wrong. No archiver runs in that mode; archiving is declared on with a command
    /// that fails, and WAL is kept, so that the checkpoint at its end recycles nothing that is not archived or that pg_rewind will read.
    /// </summary>
    private async Task<string?> RecoverAsync(ControlData control, CancellationToken cancel)
    {
        List<string> arguments = ["--single", "-D", settings.DataDir];
        foreach ((string name, string value) in EnforcedParameters.ForStart(settings, LaunchMode.Standby, control.Limits))
            if (name is not ("listen_addresses" or "port" or "wal_level")) arguments.AddRange(["-c", $"{name}={value}"]);
        arguments.AddRange(["-c", $"config_file={_configuration.ConfigurationFile}", "-c", "wal_level=replica", "-c", "archive_mode=on", "-c", "archive_command=false",
            "-c", control.MajorVersion >= 13 ? "wal_keep_size=1000000" : "wal_keep_segments=100000", "template1"]);
        LogRecovering(settings.DataDir, control.State);
        ToolResult result = await Tool.RunAsync(
            new() { File = settings.Binary("postgres"), Arguments = arguments, WorkingDirectory = settings.DataDir }, cancel: cancel);
        await File.AppendAllTextAsync(LogFile, result.Output, CancellationToken.None);
        return result.IsSuccess ? null : $"crash recovery before pg_rewind failed ({result.Describe()}); its output is in {LogFile}";
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Rewinding {DataDir}: {Why}")]
    private partial void LogRewinding(string dataDir, string why);
    [LoggerMessage(Level = LogLevel.Information, Message = "Crash recovery of {DataDir} (state {State}) before pg_rewind")]
    private partial void LogRecovering(string dataDir, ClusterRunState state);
    [LoggerMessage(Level = LogLevel.Information, Message = "{DataDir} was rewound to {Leader}")]
    private partial void LogDone(string dataDir, string leader);
    [LoggerMessage(Level = LogLevel.Error, Message = "pg_rewind of {DataDir} failed: {Reason}")]
    private partial void LogFailed(string dataDir, string reason);
}
