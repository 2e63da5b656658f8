using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>The machine lost power in this call; nothing after it happens.</summary>
internal sealed class PowerLoss : Exception;

/// <summary>
/// A disk in memory that keeps apart what is durable and what is only in the page cache. Every change is a numbered step;
/// power can be lost at any of them, and any can fail. After a loss, unsynced writes survive by sectors in any
/// combination, unsynced names by any prefix of their order.
/// </summary>
internal sealed class FaultDisk : ILogDirectory
{
    private const int SectorBytes = 512;
    private readonly Lock sync = new();
    private readonly Dictionary<string, Inode> names;
    private readonly Dictionary<string, Inode> durableNames;
    private readonly List<Action<Dictionary<string, Inode>>> unsyncedNames = [];

    public FaultDisk()
        : this([])
    {
    }

    private FaultDisk(Dictionary<string, Inode> content)
    {
        names = content;
        durableNames = new(content);
    }

    public string Path => "/disk";

    /// <summary>Steps done so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Fsyncs of files done so far.</summary>
    public int FileFlushes { get; private set; }

    /// <summary>Power is lost in this step; 0 for never.</summary>
    public int LoseAt { get; init; }

    /// <summary>The error of a step, by its number and kind; null to succeed.</summary>
    public Func<int, string, Exception?> Failing { get; set; } = (_, _) => null;

    /// <summary>Called at each step with its kind, outside of the lock; may block.</summary>
    public Action<string> OnStep { get; set; } = _ => { };

    public bool IsLost { get; private set; }

    /// <summary>What is found after power comes back.</summary>
    /// <param name="random">Decides what of the unsynced survived; null: nothing did.</param>
    public FaultDisk AfterPowerLoss(Random? random)
    {
        lock (sync)
        {
            var survivingNames = new Dictionary<string, Inode>(durableNames);
            foreach (var change in unsyncedNames.Take(random?.Next(unsyncedNames.Count + 1) ?? 0))
            {
                change(survivingNames);
            }

            return new FaultDisk(survivingNames.ToDictionary(pair => pair.Key, pair => pair.Value.AfterPowerLoss(random)));
        }
    }

    /// <summary>The same content, with power lost at a step from now on.</summary>
    public FaultDisk WithLossAt(int step)
    {
        lock (sync)
        {
            return new FaultDisk(names.ToDictionary(pair => pair.Key, pair => pair.Value.AfterPowerLoss(null))) { LoseAt = step };
        }
    }

    public IReadOnlyList<string> List()
    {
        lock (sync)
        {
            return [.. names.Keys];
        }
    }

    public bool Exists(string name)
    {
        lock (sync)
        {
            return names.ContainsKey(name);
        }
    }

    public ILogFile Create(string name) => Step("create", () =>
    {
        var inode = new Inode();
        ChangeNames(target => target[name] = inode);
        return new File(this, inode);
    });

    public ILogFile Open(string name)
    {
        lock (sync)
        {
            return new File(this, names[name]);
        }
    }

    public byte[] ReadAll(string name)
    {
        lock (sync)
        {
            return names.TryGetValue(name, out var inode) ? [.. inode.Content] : throw new FileNotFoundException(name);
        }
    }

    public void Rename(string name, string target) => Step("rename", () =>
    {
        ChangeNames(present =>
        {
            if (present.Remove(name, out var inode))
            {
                present[target] = inode;
            }
        });
        return true;
    });

    public void Delete(string name) => Step("delete", () =>
    {
        ChangeNames(present => present.Remove(name));
        return true;
    });

    public void Flush() => Step("flush directory", () =>
    {
        foreach (var change in unsyncedNames)
        {
            change(durableNames);
        }

        unsyncedNames.Clear();
        return true;
    });

    /// <summary>Somebody, or the medium, damages a file.</summary>
    public void Damage(string name, Func<byte[], byte[]> change)
    {
        lock (sync)
        {
            var inode = names[name];
            inode.Set(change([.. inode.Content]));
        }
    }

    public void Remove(string name)
    {
        lock (sync)
        {
            names.Remove(name);
            durableNames.Remove(name);
        }
    }

    private void ChangeNames(Action<Dictionary<string, Inode>> change)
    {
        change(names);
        unsyncedNames.Add(change);
    }

    private T Step<T>(string kind, Func<T> action)
    {
        OnStep(kind);
        lock (sync)
        {
            Steps++;
            if (IsLost || Steps == LoseAt)
            {
                // The step itself may or may not have reached the disk: it is done in the cache, never synced.
                if (!IsLost && !kind.StartsWith("flush", StringComparison.Ordinal))
                {
                    action();
                }

                IsLost = true;
                throw new PowerLoss();
            }

            if (Failing(Steps, kind) is { } error)
            {
                throw error;
            }

            return action();
        }
    }

    private sealed class Inode
    {
        private byte[] durable = [];
        private readonly List<(long Position, byte[] Data, bool IsTruncate)> unsynced = [];

        public List<byte> Content { get; private set; } = [];

        public void Set(byte[] content)
        {
            Content = [.. content];
            durable = content;
            unsynced.Clear();
        }

        public void Write(long position, ReadOnlySpan<byte> data)
        {
            unsynced.Add((position, data.ToArray(), false));
            Put(Content, position, data);
        }

        public void Truncate(long length)
        {
            unsynced.Add((length, [], true));
            Content.RemoveRange((int)length, Content.Count - (int)length);
        }

        public void Flush()
        {
            durable = [.. Content];
            unsynced.Clear();
        }

        public Inode AfterPowerLoss(Random? random)
        {
            var content = new List<byte>(durable);
            foreach (var (position, data, isTruncate) in unsynced)
            {
                if (random is null)
                {
                    break;
                }

                if (isTruncate)
                {
                    if (random.Next(2) == 0 && position < content.Count)
                    {
                        content.RemoveRange((int)position, content.Count - (int)position);
                    }

                    continue;
                }

                Survive(content, position, data, random);
            }

            var inode = new Inode();
            inode.Set([.. content]);
            return inode;
        }

        private static void Survive(List<byte> content, long position, byte[] data, Random random)
        {
            switch (random.Next(4))
            {
                case 0:
                    return;
                case 1:
                    Put(content, position, data);
                    return;
                default:
                    for (var offset = 0; offset < data.Length;)
                    {
                        var end = Math.Min(data.Length, (int)((((position + offset) / SectorBytes) + 1) * SectorBytes - position));
                        if (random.Next(2) == 0)
                        {
                            Put(content, position + offset, data.AsSpan(offset, end - offset));
                        }

                        offset = end;
                    }

                    return;
            }
        }

        private static void Put(List<byte> content, long position, ReadOnlySpan<byte> data)
        {
            while (content.Count < position + data.Length)
            {
                content.Add(0);
            }

            for (var i = 0; i < data.Length; i++)
            {
                content[(int)position + i] = data[i];
            }
        }
    }

    private sealed class File(FaultDisk disk, Inode inode) : ILogFile
    {
        public long Length
        {
            get
            {
                lock (disk.sync)
                {
                    return inode.Content.Count;
                }
            }
        }

        public void Write(long position, ReadOnlySpan<byte> data)
        {
            var copy = data.ToArray();
            disk.Step("write", () =>
            {
                inode.Write(position, copy);
                return true;
            });
        }

        public int Read(long position, Span<byte> buffer)
        {
            lock (disk.sync)
            {
                var count = (int)Math.Clamp(inode.Content.Count - position, 0, buffer.Length);
                for (var i = 0; i < count; i++)
                {
                    buffer[i] = inode.Content[(int)position + i];
                }

                return count;
            }
        }

        public void Truncate(long length) => disk.Step("truncate", () =>
        {
            inode.Truncate(length);
            return true;
        });

        public void Flush() => disk.Step("flush file", () =>
        {
            disk.FileFlushes++;
            inode.Flush();
            return true;
        });

        public void Dispose()
        {
        }
    }
}
