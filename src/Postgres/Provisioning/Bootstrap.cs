using System.Collections.Immutable;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Npgsql;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Outcome of a bootstrap.</summary>
public abstract record BootstrapResult
{
    private BootstrapResult() { }
    /// <summary>The directory holds a new cluster, cleanly stopped and durable.</summary>
    /// <param name="Control">Its control data, with the system identifier.</param>
    /// <param name="Incarnation">The new life of the directory.</param>
    /// <param name="Proof">That nothing runs.</param>
    public sealed record Done(ControlData Control, Incarnation Incarnation, VerifiedStopped Proof) : BootstrapResult;
    /// <summary>It failed.</summary>
    /// <param name="Reason">One sentence.</param>
    /// <param name="MovedTo">Where the unfinished directory is now; null when there was none or it could not be moved.</param>
    public sealed record Failed(string Reason, string? MovedTo) : BootstrapResult;
}

/// <summary>
/// Makes a new cluster in an empty data directory: initdb (or the custom method), a private start in which users are created and
/// the user's script runs, a clean stop. Until the end a marker says that it is unfinished; a failure moves the directory away.
/// </summary>
public sealed partial class Bootstrap(PostgresSettings settings, InstanceController controller, ILogger<Bootstrap> logger)
{
    private static readonly string[] ReservedOptions = ["pgdata", "no-sync", "nosync", "pwfile", "sync-only", "version", "username"];
    private readonly ServerConfiguration _configuration = new(settings);

    /// <summary>Runs it. Cancelling kills what runs and moves the directory away.</summary>
    public async Task<BootstrapResult> RunAsync(CancellationToken cancel = default)
    {
        if (controller.VerifyStopped() is null)
            return new BootstrapResult.Failed($"cannot bootstrap: processes of an instance in {settings.DataDir} still run: {controller.Scan()}", null);
        DirectoryState state = await DataDirectory.InspectAsync(settings, cancel);
        if (state is not (DirectoryState.Missing or DirectoryState.Empty))
            return new BootstrapResult.Failed($"cannot bootstrap: {settings.DataDir} is not empty ({state})", null);
        string? failure;
        try
        {
            Directory.CreateDirectory(settings.DataDir, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            DirectoryWork.Begin(settings.StateDirectory, DirectoryWorkKind.Initialize, settings.DataDir, settings.CustomBootstrap?.Name ?? "initdb");
            failure = await InitializeAsync(cancel) ?? await SetUpAsync(cancel);
            if (failure is null) return await FinishAsync(cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            failure = e.Message;
        }
        return Abandon(failure);
    }

    private BootstrapResult.Failed Abandon(string failure)
    {
        // Also after cancellation: nothing may write to the directory while it is moved.
        FenceReport fence = controller.Fence(TimeSpan.FromSeconds(5));
        if (fence.Proof is not { } proof) return new($"{failure}; and processes are left: {fence.Left}", null);
        if (!Directory.Exists(settings.DataDir) || !Directory.EnumerateFileSystemEntries(settings.DataDir).Any()) return new(failure, null);
        (string? moved, string? error) = DataDirectory.MoveAway(settings, proof);
        LogFailed(settings.DataDir, failure, moved ?? error!);
        return new(error is null ? failure : $"{failure}; and {error}", moved);
    }

    private async Task<BootstrapResult> FinishAsync(CancellationToken cancel)
    {
        StopResult stop = await controller.StopAsync(StopMode.Fast, settings.PgCtlTimeout, cancel);
        if (stop is not StopResult.Stopped stopped) return Abandon($"the new cluster did not stop cleanly within {settings.PgCtlTimeout.TotalSeconds:F0} s: {stop}");
        (ControlData? control, string? error) = await DataDirectory.ReadControlDataAsync(settings, cancel);
        if (control is null) return Abandon(error!);
        if (control.State != ClusterRunState.ShutDown) return Abandon($"the new cluster was not shut down cleanly: its state is {control.State}");
        PromotionMarker.Remove(settings.DataDir);
        Incarnation incarnation = DataIncarnation.Draw(settings.DataDir, settings.Name);
        // What a custom method restored, or moved here, may be somebody's only copy.
        if (settings.CustomBootstrap is null) UnusedData.Mark(settings.DataDir, control, settings.Name, incarnation);
        DirectoryWork.Complete(settings.StateDirectory, settings.DataDir);
        LogDone(settings.DataDir, control.SystemIdentifier);
        return new BootstrapResult.Done(control, incarnation, stopped.Proof);
    }

    private Task<string?> InitializeAsync(CancellationToken cancel) =>
        settings.CustomBootstrap is { } custom ? RunCustomAsync(custom, cancel) : RunInitdbAsync(cancel);

    private async Task<string?> RunInitdbAsync(CancellationToken cancel)
    {
        if (settings.InitdbOptions.FirstOrDefault(o => ReservedOptions.Contains(o.Name)) is { } reserved)
            return $"bootstrap.initdb: option '{reserved.Name}' is set by the agent and cannot be given";
        string passwordFile = Path.Combine(settings.StateDirectory, "initdb-password");
        try
        {
            List<string> arguments = ["-D", settings.DataDir, $"--username={settings.Superuser.Username}"];
            arguments.AddRange(settings.InitdbOptions.Select(option => option.ToString()));
            // Synced once at the end, together with everything else.
            arguments.Add("--no-sync");
            if (settings.Superuser.Password is { } password)
            {
                DurableFile.Write(passwordFile, password + "\n");
                arguments.Add($"--pwfile={passwordFile}");
            }
            LogInitdb(settings.DataDir);
            ToolResult result = await Tool.RunAsync(
                new() { File = settings.Binary("initdb"), Arguments = arguments, WorkingDirectory = settings.DataDir }, cancel: cancel);
            cancel.ThrowIfCancellationRequested();
            if (!result.IsSuccess) return $"initdb failed: {result.Describe()}";
            if (settings.PgHba.IsEmpty && !settings.BootstrapPgHba.IsEmpty)
                await File.AppendAllTextAsync(Path.Combine(settings.DataDir, "pg_hba.conf"),
                    "\n" + string.Concat(settings.BootstrapPgHba.Select(line => line + "\n")), cancel);
            return null;
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    private async Task<string?> RunCustomAsync(CustomBootstrap method, CancellationToken cancel)
    {
        if (CommandLine.Split(method.Command) is not [var file, .. var arguments])
            return $"bootstrap.{method.Name}.command is empty or has an unclosed quote: {method.Command}";
        if (!method.NoParams) arguments.AddRange([$"--scope={settings.Scope}", $"--datadir={settings.DataDir}"]);
        arguments.AddRange(method.Options.Select(option => option.ToString()));
        LogCustom(method.Name, method.Command);
        ToolResult result = await Tool.RunAsync(
            new() { File = CommandLine.Resolve(file), Arguments = arguments, WorkingDirectory = settings.DataDir }, cancel: cancel);
        cancel.ThrowIfCancellationRequested();
        if (!result.IsSuccess) return $"bootstrap method {method.Name} failed: {result.Describe()}";
        return DataDirectory.ReadMajorVersion(settings.DataDir, out string problem) is null ? $"bootstrap method {method.Name} left no cluster: {problem}" : null;
    }

    private async Task<string?> SetUpAsync(CancellationToken cancel)
    {
        (ControlData? control, string? error) = await DataDirectory.ReadControlDataAsync(settings, cancel);
        if (control is null) return error;
        bool keepsRecovery = settings.CustomBootstrap is { KeepExistingRecoveryConf: true };
        if (settings.CustomBootstrap is { RecoveryConf.IsEmpty: false }) SignalFiles.RequestRecovery(settings.DataDir);
        else if (!keepsRecovery) SignalFiles.RemoveRecovery(settings.DataDir);
        ConfiguredRole role = settings.CustomBootstrap is { } custom && (keepsRecovery || !custom.RecoveryConf.IsEmpty)
            ? new ConfiguredRole.Recovery(custom.RecoveryConf) : new ConfiguredRole.Primary();
        if (_configuration.Write(role, control.MajorVersion) is ConfigurationWrite.Refused refused) return refused.Reason;

        string socket = PrivateDirectory();
        try
        {
            LaunchResult launch = controller.Launch(new(LaunchMode.Private, Epoch.None, _configuration.PrivateCommandLine(socket, control)));
            if (launch is not LaunchResult.Launched launched) return ((LaunchResult.Refused)launch).Reason;
            // Recovery to a target has no natural limit; a plain start does.
            TimeSpan limit = role is ConfiguredRole.Recovery ? TimeSpan.FromDays(7) : settings.PgCtlTimeout;
            StartProgress progress = await controller.WaitReadyAsync(launched.Postmaster, limit, cancel);
            if (progress is not StartProgress.Ready) return $"the new cluster did not start: {progress}";
            await using LocalServer server = LocalServer.At(new(socket, settings.Port), settings.Superuser with { Password = null }, settings.Database, null);
            while (await server.ScalarAsync("SELECT pg_catalog.pg_is_in_recovery()", cancel) == "True")
            {
                if (launched.Postmaster.HasExited) return $"the new cluster stopped while it recovered: {DurableFile.Tail(controller.LogFile, 2048)}";
                await Task.Delay(TimeSpan.FromMilliseconds(100), cancel);
            }
            await Users.CreateAsync(server, settings, cancel);
            return await RunPostBootstrapAsync(socket, cancel) ?? (_configuration.Write(new ConfiguredRole.Primary(), control.MajorVersion) as ConfigurationWrite.Refused)?.Reason;
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            return $"the users of the new cluster could not be created: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}";
        }
        finally
        {
            // The postmaster removes its socket itself; the directory is nobody else's.
            RemovePrivateDirectory(socket);
        }
    }

    private async Task<string?> RunPostBootstrapAsync(string socket, CancellationToken cancel)
    {
        if (settings.PostBootstrap is not { } command) return null;
        if (CommandLine.Split(command) is not [var file, .. var arguments]) return $"bootstrap.post_bootstrap is empty or has an unclosed quote: {command}";
        arguments.Add(Conninfo.Format(
        [
            new("dbname", settings.Database), new("user", settings.Superuser.Username), new("host", socket), new("port", settings.Port.ToString()),
        ]));
        ToolResult result = await Tool.RunAsync(new()
        {
            File = CommandLine.Resolve(file),
            Arguments = arguments,
            WorkingDirectory = settings.DataDir,
            Environment = new Dictionary<string, string> { ["PGOPTIONS"] = "-c synchronous_commit=local -c statement_timeout=0" },
        }, cancel: cancel);
        cancel.ThrowIfCancellationRequested();
        return result.IsSuccess ? null : $"bootstrap.post_bootstrap {command} failed: {result.Describe()}";
    }

    // Socket paths are limited to 107 bytes: not below a long TMPDIR. The library makes it with mode 0700.
    private static string PrivateDirectory()
    {
        string directory = Directory.CreateTempSubdirectory("prb-").FullName;
        if (directory.Length <= 80) return directory;
        Directory.Delete(directory);
        directory = $"/tmp/prb-{Path.GetRandomFileName()}";
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return directory;
    }

    private static void RemovePrivateDirectory(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (IOException)
        {
            // The postmaster may be removing its socket at this moment; an empty directory in /tmp harms nobody.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Running initdb in {DataDir}")]
    private partial void LogInitdb(string dataDir);
    [LoggerMessage(Level = LogLevel.Information, Message = "Running bootstrap method {Method}: {Command}")]
    private partial void LogCustom(string method, string command);
    [LoggerMessage(Level = LogLevel.Information, Message = "New cluster in {DataDir}, system identifier {SystemIdentifier}")]
    private partial void LogDone(string dataDir, ulong systemIdentifier);
    [LoggerMessage(Level = LogLevel.Error, Message = "Bootstrap in {DataDir} failed: {Reason}. The directory: {Moved}")]
    private partial void LogFailed(string dataDir, string reason, string moved);
}
