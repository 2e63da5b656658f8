namespace Patroni.Raft.StateMachine;

/// <summary>How long the primary keeps WAL for a member that does not fetch it.</summary>
public static class SlotRules
{
    /// <summary>A slot that nobody uses may keep this many times of what is left on the disk.</summary>
    public const long KeptTimesFree = 4;

    /// <summary>
    /// Whether the primary gives a slot up, so that a member which is away cannot fill the primary's disk: the member may have to be cloned
    /// again, which is better than no primary.
    /// </summary>
    /// <param name="data">The primary's disk.</param>
    /// <param name="isActive">Whether somebody streams from the slot.</param>
    /// <param name="restart">From where on it keeps WAL; null when it keeps none.</param>
    /// <param name="end">End of the primary's WAL.</param>
    public static bool GivesUp(DiskHealth data, bool isActive, Lsn? restart, Lsn end) =>
        !isActive && restart is { IsValid: true } from && data.FreeBytes >= 0 && Lsn.Lag(from, end) / KeptTimesFree > data.FreeBytes;
}
