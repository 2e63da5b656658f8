using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>The files in the data directory that tell PostgreSQL which role to take (manual, "Recovery" and "Promotion").</summary>
public static class SignalFiles
{
    private const string Standby = "standby.signal", Recovery = "recovery.signal", Promote = "promote";

    /// <summary>Whether the directory would start as a standby.</summary>
    public static bool HasStandby(string dataDir) => File.Exists(Path.Combine(dataDir, Standby));

    /// <summary>Makes the files fit a launch mode, durably.</summary>
    public static void Prepare(string dataDir, LaunchMode mode)
    {
        // Left over by an agent that died between writing it and the signal: it must not promote a later start.
        DurableFile.Delete(Path.Combine(dataDir, Promote));
        if (mode == LaunchMode.Private) return;
        DurableFile.Delete(Path.Combine(dataDir, Recovery));
        if (mode == LaunchMode.Primary) DurableFile.Delete(Path.Combine(dataDir, Standby));
        else if (!HasStandby(dataDir)) DurableFile.Write(Path.Combine(dataDir, Standby), "");
    }

    /// <summary>Removes standby.signal and recovery.signal: crash recovery and pg_rewind need them gone.</summary>
    public static void RemoveRecovery(string dataDir)
    {
        DurableFile.Delete(Path.Combine(dataDir, Standby));
        DurableFile.Delete(Path.Combine(dataDir, Recovery));
    }

    internal static void RequestRecovery(string dataDir) => DurableFile.Write(Path.Combine(dataDir, Recovery), "");

    internal static void RequestPromotion(string dataDir) => DurableFile.Write(Path.Combine(dataDir, Promote), "");
}
