using System.Net;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Identity;

/// <summary>The Raft directory of a node, locked for this process.</summary>
internal sealed class NodeDirectory : IDisposable
{
    private const string LockName = "lock";
    private readonly FileStream lockFile;

    private NodeDirectory(string path, FileStream lockFile)
    {
        this.lockFile = lockFile;
        Files = new PhysicalLogDirectory(path);
        IdlePath = Path.Combine(path, "idle");
    }

    public ILogDirectory Files { get; }

    /// <summary>For the base class of <see cref="Node.DurableLog"/>, which wants a directory that it never uses.</summary>
    public string IdlePath { get; }

    /// <exception cref="RaftStartException">In use, or not writable.</exception>
    public static NodeDirectory Open(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            var lockPath = Path.Combine(path, LockName);
            try
            {
                return new NodeDirectory(path, new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException e) when (File.Exists(lockPath))
            {
                throw new RaftStartException(
                    RaftStartFailure.DirectoryInUse, $"The Raft directory {path} (raft.data_dir) is used by another process: {e.Message}", e);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RaftStartException(
                RaftStartFailure.DirectoryUnusable, $"The Raft directory {path} (raft.data_dir) cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Reads what the directory is, and checks that it belongs to this address and is whole.</summary>
    public NodeMeta? ReadMeta(EndPoint self)
    {
        NodeMeta? meta;
        try
        {
            meta = NodeMeta.Read(Files);
            var hasLog = LogRecovery.HasFiles(Files);
            if (meta is null && hasLog)
            {
                throw new LogDamagedException($"{Path.Combine(Files.Path, NodeMeta.FileName)} is missing, but there is a log.");
            }

            if (meta is { HasLog: true } && !hasLog)
            {
                throw new LogDamagedException($"The log in {Files.Path} is missing: this node is a member of a group and has lost what it acknowledged.");
            }
        }
        catch (LogDamagedException e)
        {
            throw new RaftStartException(RaftStartFailure.LogDamaged, e.Message, e);
        }

        if (meta is not null && !meta.Self.Equals(self))
        {
            throw new RaftStartException(
                RaftStartFailure.IdentityMismatch,
                $"The Raft directory {Files.Path} belongs to {RaftAddress.Format(meta.Self)}, but raft.self_addr is {RaftAddress.Format(self)}."
                + " To change an address, remove the member, empty the directory and join again.");
        }

        return meta;
    }

    public void Dispose() => lockFile.Dispose();
}
