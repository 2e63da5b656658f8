using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Npgsql;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>A physical slot that should exist.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Position">How far its follower is: slots of a standby are moved up to it, so that they do not keep WAL for ever; null leaves it.</param>
public sealed record WantedSlot(string Name, Lsn? Position);

/// <summary>What a synchronization of slots did.</summary>
/// <param name="Created">New ones.</param>
/// <param name="Dropped">Removed ones.</param>
/// <param name="Advanced">Moved ones.</param>
/// <param name="Problems">What did not work, one sentence each.</param>
public sealed record SlotChanges(
    ImmutableArray<string> Created, ImmutableArray<string> Dropped, ImmutableArray<string> Advanced, ImmutableArray<string> Problems);

/// <summary>Physical replication slots, by which members keep the WAL that others still need.</summary>
public static class Slots
{
    /// <summary>
    /// The slot of a member, mapped as Patroni does: lower case; dash and point become an underscore; any other character outside
    /// [a-z0-9_] becomes <c>u</c> and its code point in decimal, four digits at least; cut after 63.
    /// </summary>
    public static string NameOf(NodeName member)
    {
        StringBuilder name = new();
        foreach (Rune rune in member.Value.ToLowerInvariant().EnumerateRunes())
        {
            if (rune.IsAscii && (char.IsAsciiLetterLower((char)rune.Value) || char.IsAsciiDigit((char)rune.Value) || rune.Value == '_')) name.Append((char)rune.Value);
            else if (rune.Value is '-' or '.') name.Append('_');
            else name.Append(CultureInfo.InvariantCulture, $"u{rune.Value:D4}");
        }
        return name.Length > 63 ? name.ToString(0, 63) : name.ToString();
    }

    /// <summary>
    /// Creates missing slots (reserving WAL at once), advances those of a standby, and drops physical ones that are not wanted, not active,
    /// and that <paramref name="keep"/> does not protect (permanent slots, ignore_slots, members seen recently).
    /// </summary>
    public static async Task<SlotChanges> SynchronizeAsync(
        LocalServer server, InstanceStatus status, IReadOnlyCollection<WantedSlot> wanted, Func<ReplicationSlot, bool> keep, CancellationToken cancel)
    {
        Dictionary<string, ReplicationSlot> present = status.Slots.ToDictionary(slot => slot.Name);
        var created = ImmutableArray.CreateBuilder<string>();
        var dropped = ImmutableArray.CreateBuilder<string>();
        var advanced = ImmutableArray.CreateBuilder<string>();
        var problems = ImmutableArray.CreateBuilder<string>();
        List<(string Sql, string Name, ImmutableArray<string>.Builder Log)> work = [];
        foreach (WantedSlot slot in wanted)
        {
            if (!present.TryGetValue(slot.Name, out ReplicationSlot? existing))
                work.Add(($"SELECT pg_catalog.pg_create_physical_replication_slot({Literal(slot.Name)}, true)", slot.Name, created));
            else if (!existing.IsPhysical) problems.Add($"slot {slot.Name} of a member exists as a logical slot");
            else if (slot.Position is { } target && !existing.Active && existing.RestartLsn is { } at && at < target)
                work.Add(($"SELECT pg_catalog.pg_replication_slot_advance({Literal(slot.Name)}, '{(status.LastLsn < target ? status.LastLsn : target)}')", slot.Name, advanced));
        }
        foreach (ReplicationSlot slot in status.Slots)
            if (slot is { IsPhysical: true, Active: false } && wanted.All(w => w.Name != slot.Name) && !keep(slot))
                work.Add(($"SELECT pg_catalog.pg_drop_replication_slot({Literal(slot.Name)})", slot.Name, dropped));
        if (work.Count == 0) return new([], [], [], problems.ToImmutable());
        try
        {
            await using NpgsqlConnection connection = await server.OpenAsync(cancel);
            foreach ((string sql, string name, ImmutableArray<string>.Builder log) in work)
            {
                await using NpgsqlCommand command = new(sql, connection);
                try
                {
                    await command.ExecuteNonQueryAsync(cancel);
                    log.Add(name);
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateObject)
                {
                    // It was made since the status was read: what was wanted is there.
                }
                catch (PostgresException e)
                {
                    // Taken or dropped by somebody else in between: the next turn sees it.
                    problems.Add($"slot {name}: {e.MessageText}");
                }
            }
        }
        catch (Exception e) when (InstanceCommands.IsExpected(e))
        {
            problems.Add(e.Message);
        }
        return new(created.ToImmutable(), dropped.ToImmutable(), advanced.ToImmutable(), problems.ToImmutable());
    }

    private static string Literal(string name) => $"'{name.Replace("'", "''")}'";
}
