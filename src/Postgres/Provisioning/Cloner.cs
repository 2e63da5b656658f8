using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Where to clone from.</summary>
/// <param name="Node">The member, for messages.</param>
/// <param name="Address">Its connect_address.</param>
/// <param name="SlotName">A slot that exists there for us and keeps the WAL needed afterwards; null for a temporary one.</param>
public sealed record CloneSource(NodeName Node, PostgresAddress Address, string? SlotName)
{
    /// <summary>Whether it is a replica: its own mark, when it is older, is then that of the copy.</summary>
    public bool IsReplica { get; init; }
}

/// <summary>An order to clone.</summary>
/// <param name="Source">Null when there is no running member: only methods with no_leader work.</param>
/// <param name="Proof">That no process of our instance runs.</param>
/// <param name="ReplaceReason">Why existing content may be wiped; null refuses to touch a non-empty directory that is not half done.</param>
/// <param name="ExpectedSystemIdentifier">A clone with another one is refused; null does not look.</param>
/// <param name="BaseBackupOnly">Use pg_basebackup whatever create_replica_methods says (reinitialize from the leader).</param>
public sealed record CloneRequest(
    CloneSource? Source, VerifiedStopped Proof, string? ReplaceReason = null, ulong? ExpectedSystemIdentifier = null, bool BaseBackupOnly = false)
{
    /// <summary>The newest promotion that was recorded when the clone began; null when nobody keeps a record.</summary>
    public FollowMark? Mark { get; init; }
}

/// <summary>Outcome of a clone.</summary>
public abstract record CloneResult
{
    private CloneResult() { }
    /// <summary>The directory is a durable copy, with standby.signal; it was not started.</summary>
    public sealed record Done(ControlData Control, Incarnation Incarnation, string Method) : CloneResult;
    /// <summary>Nothing was touched.</summary>
    public sealed record Refused(string Reason) : CloneResult;
    /// <summary>All methods failed; the directory is empty again, or marked as half cloned.</summary>
    public sealed record Failed(string Reason) : CloneResult;
    /// <summary>Cancelled; the directory is marked as half cloned.</summary>
    public sealed record Cancelled : CloneResult;
}

/// <summary>Makes the data directory a copy of another member's, by the configured methods in order.</summary>
public sealed partial class Cloner(PostgresSettings settings, ILogger<Cloner> logger)
{
    private static readonly ReplicaMethod BaseBackup = new() { Name = "basebackup" };
    private static readonly string[] ReservedOptions =
        ["pgdata", "format", "wal-method", "xlog-method", "gzip", "version", "dbname", "host", "port", "username", "password", "slot", "create-slot", "no-slot", "no-sync", "write-recovery-conf", "progress", "target"];

    /// <summary>Runs it.</summary>
    /// <param name="request">What.</param>
    /// <param name="progress">Told about every change, from another thread; for pg_basebackup.</param>
    /// <param name="cancel">Kills the method.</param>
    public async Task<CloneResult> RunAsync(CloneRequest request, Action<CloneProgress>? progress = null, CancellationToken cancel = default)
    {
        request.Proof.Require(settings.DataDir);
        DirectoryState state = await DataDirectory.InspectAsync(settings, cancel);
        bool replaceable = state is DirectoryState.Missing or DirectoryState.Empty or DirectoryState.HalfDone;
        if (state is DirectoryState.NotWritable blocked) return new CloneResult.Refused($"cannot clone: {blocked.Reason}");
        if (!replaceable && request.ReplaceReason is null)
            return new CloneResult.Refused($"cannot clone: {settings.DataDir} is not empty ({state}), and there is no reason to replace it");
        List<string> failures = [];
        string passFile = Path.Combine(settings.StateDirectory, "clone-pgpass");
        try
        {
            if (request.Source is { } source) PassFile.Write(passFile, [new(source.Address, settings.Replication)]);
            foreach (ReplicaMethod method in Methods(request))
            {
                if (!method.KeepData) DataDirectory.Wipe(settings, request.Proof, request.ReplaceReason ?? $"unfinished: {state}");
                Directory.CreateDirectory(settings.DataDir, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                DirectoryWork.Begin(settings.StateDirectory, DirectoryWorkKind.Clone, settings.DataDir, $"{method.Name} from {request.Source?.Node.Value ?? "no leader"}");
                string? failure = await RunMethodAsync(method, request.Source, passFile, progress, cancel);
                if (cancel.IsCancellationRequested) return new CloneResult.Cancelled();
                if (failure is null) return await FinishAsync(method, request, cancel);
                LogMethodFailed(method.Name, failure);
                failures.Add($"{method.Name}: {failure}");
                if (!method.KeepData) DataDirectory.Wipe(settings, request.Proof, "the clone failed");
            }
        }
        catch (OperationCanceledException)
        {
            return new CloneResult.Cancelled();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            failures.Add(e.Message);
        }
        finally
        {
            TryDelete(passFile);
        }
        return new CloneResult.Failed(failures.Count == 0
            ? "no member to clone from runs, and no create_replica_methods entry has no_leader" : string.Join("; ", failures));
    }

    private IEnumerable<ReplicaMethod> Methods(CloneRequest request)
    {
        IEnumerable<ReplicaMethod> configured = request.BaseBackupOnly || settings.CreateReplicaMethods.IsEmpty
            ? [settings.CreateReplicaMethods.FirstOrDefault(m => m.IsBaseBackup) ?? BaseBackup] : settings.CreateReplicaMethods;
        return request.Source is null ? configured.Where(method => method.NoLeader && !method.IsBaseBackup) : configured;
    }

    private async Task<CloneResult> FinishAsync(ReplicaMethod method, CloneRequest request, CancellationToken cancel)
    {
        (ControlData? control, string? error) = await DataDirectory.ReadControlDataAsync(settings, cancel);
        if (control is null) return new CloneResult.Failed($"{method.Name} succeeded, but {error}");
        if (request.ExpectedSystemIdentifier is { } expected && control.SystemIdentifier != expected)
            return new CloneResult.Failed($"{method.Name} brought a cluster with system identifier {control.SystemIdentifier}, but this cluster's is {expected}");
        FollowMark? mark = request.Mark;
        if (mark is not null && request.Source is { IsReplica: true } && method.IsBaseBackup && FollowingFile.ReadCopied(settings.DataDir) is { } its && its.Epoch < mark.Epoch) mark = its;
        foreach (string stranger in new[] { "postmaster.pid", "postmaster.opts", "recovery.signal", "promote" })
            DurableFile.Delete(Path.Combine(settings.DataDir, stranger));
        Incarnation incarnation = DirectoryWork.CompleteCopy(settings, mark);
        LogDone(settings.DataDir, request.Source?.Node.Value ?? "no leader", method.Name);
        return new CloneResult.Done(control, incarnation, method.Name);
    }

    private async Task<string?> RunMethodAsync(
        ReplicaMethod method, CloneSource? source, string passFile, Action<CloneProgress>? progress, CancellationToken cancel)
    {
        (int? version, string? error) = await ServerBinaries.MajorVersionAsync(settings, cancel);
        if (version is null) return error;
        string conninfo = source is null ? "" : Conninfo.Format(Conninfo.Pairs(source.Address, settings.Replication, null, passFile, version.Value));
        ChildSpec? spec = method.IsBaseBackup ? BaseBackupSpec(method, source!, conninfo, out error) : CommandSpec(method, conninfo, passFile, out error);
        if (spec is null) return error;
        LogMethod(method.Name, source?.Node.Value ?? "no leader");
        ToolResult result = await Tool.RunAsync(spec, onLine: line =>
        {
            if (CloneProgress.Parse(line) is { } seen) progress?.Invoke(seen);
        }, cancel: cancel);
        return result.IsSuccess ? null : result.Describe();
    }

    private ChildSpec? BaseBackupSpec(ReplicaMethod method, CloneSource source, string conninfo, out string? error)
    {
        error = method.Options.FirstOrDefault(o => ReservedOptions.Contains(o.Name)) is { } reserved
            ? $"postgresql.basebackup: option '{reserved.Name}' is set by the agent and cannot be given" : null;
        if (error is not null) return null;
        List<string> arguments = ["-D", settings.DataDir, "-X", "stream", "--dbname", conninfo, "--progress", "--no-password", "--no-sync"];
        if (source.SlotName is { } slot) arguments.Add($"--slot={slot}");
        // An unthrottled checkpoint on the source: without it the copy may begin minutes later.
        if (method.Options.All(o => o.Name != "checkpoint")) arguments.Add("--checkpoint=fast");
        arguments.AddRange(method.Options.Select(option => option.ToString()));
        return new() { File = settings.Binary("pg_basebackup"), Arguments = arguments, WorkingDirectory = settings.DataDir, Environment = Tool.CLocale };
    }

    private ChildSpec? CommandSpec(ReplicaMethod method, string conninfo, string passFile, out string? error)
    {
        error = null;
        if (CommandLine.Split(method.Command ?? method.Name) is not [var file, .. var arguments])
        {
            error = $"postgresql.{method.Name}.command is empty or has an unclosed quote: {method.Command}";
            return null;
        }
        if (!method.NoParams)
            arguments.AddRange([$"--scope={settings.Scope}", "--role=replica", $"--datadir={settings.DataDir}", $"--connstring={conninfo}"]);
        arguments.AddRange(method.Options.Select(option => option.ToString()));
        return new()
        {
            File = CommandLine.Resolve(file),
            Arguments = arguments,
            WorkingDirectory = settings.DataDir,
            Environment = new Dictionary<string, string> { ["PGPASSFILE"] = passFile },
        };
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Mode 0600 in our own directory; the next clone replaces it.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Creating the replica by {Method} from {Source}")]
    private partial void LogMethod(string method, string source);
    [LoggerMessage(Level = LogLevel.Error, Message = "Creating the replica by {Method} failed: {Reason}")]
    private partial void LogMethodFailed(string method, string reason);
    [LoggerMessage(Level = LogLevel.Information, Message = "{DataDir} is a copy of {Source}, made by {Method}")]
    private partial void LogDone(string dataDir, string source, string method);
}
