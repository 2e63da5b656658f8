using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The guard's report of a fence as one line: numbers, then the reason. It stays until the cluster's history has it. Guard and reader may be of different versions: a line that
/// cannot be read is no report, and what a later version appends to the numbers has another first word.
/// </summary>
internal static class GuardReport
{
    private const string Format1 = "fence1";

    internal static string Format(FenceFacts fence) => string.Create(CultureInfo.InvariantCulture,
        $"{Format1} {fence.Epoch.Generation} {fence.Epoch.Index} {fence.AtUnixMs} {fence.Killed} {fence.SignalledMs} {fence.ElapsedMs} {fence.Left} {fence.Reason}\n");

    internal static FenceFacts? Parse(string text)
    {
        string[] fields = text.TrimEnd('\n').Split(' ', 9);
        return fields.Length == 9 && fields[0] == Format1
            && uint.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint generation)
            && TryNumber(fields[2], out long index) && TryNumber(fields[3], out long at)
            && int.TryParse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture, out int killed)
            && TryNumber(fields[5], out long signalled) && TryNumber(fields[6], out long elapsed)
            && int.TryParse(fields[7], NumberStyles.None, CultureInfo.InvariantCulture, out int left)
            ? new(new(generation, index), at, fields[8], killed, signalled, elapsed, left)
            : null;
    }

    private static bool TryNumber(string text, out long number) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
