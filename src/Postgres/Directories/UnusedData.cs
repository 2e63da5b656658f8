using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>
/// The mark of a database cluster that initdb of this node made and that nobody has started since: it names the checkpoint at the end of the initialization, which
/// any later start leaves behind. When another node creates the cluster first, such a directory may be cleared and cloned; no other may.
/// </summary>
public static class UnusedData
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "patroni.raft.unused";

    /// <summary>Writes it durably, after the clean stop that ends the initialization.</summary>
    /// <exception cref="IOException">It may not be on disk.</exception>
    public static void Mark(string dataDir, ControlData control, NodeName self, Incarnation incarnation) =>
        DurableFile.Write(Path.Combine(dataDir, FileName), Content(control, self, incarnation));

    /// <summary>Whether the directory is still what the initialization left.</summary>
    public static bool IsUnused(string dataDir, ControlData control, NodeName self, Incarnation incarnation) =>
        control.State == ClusterRunState.ShutDown && DurableFile.ReadOrNull(Path.Combine(dataDir, FileName)) == Content(control, self, incarnation);

    private static string Content(ControlData control, NodeName self, Incarnation incarnation) =>
        $"checkpoint {control.CheckpointLocation}\nincarnation {incarnation}\nnode {self.Value}\n";
}
