using System.Globalization;

namespace Patroni.Raft.Cli.Output;

/// <summary>What a number of voters means for the group, in sentences for confirmations.</summary>
public static class VoterArithmetic
{
    /// <summary>Votes that a decision needs.</summary>
    public static int Majority(int voters) => (voters / 2) + 1;

    /// <summary>How many voters may be lost while all others answer.</summary>
    public static int Tolerated(int voters) => Math.Max(0, voters - Majority(voters));

    /// <summary>"3 voters, 2 votes are needed, 1 loss is tolerated".</summary>
    public static string Describe(int voters) => string.Create(CultureInfo.InvariantCulture,
        $"{Count(voters, "voter")}, {Count(Majority(voters), "vote")} {(Majority(voters) == 1 ? "is" : "are")} needed, {Losses(Tolerated(voters))}");

    /// <summary>What adding a voter brings.</summary>
    public static string Adding(string address, int voters)
    {
        int before = Tolerated(voters), after = Tolerated(voters + 1);
        return $"With {address} the group has {Describe(voters + 1)}{(after == before ? " as before (an even number adds none)" : $" instead of {before}")}.";
    }

    /// <summary>What removing a voter costs.</summary>
    /// <param name="who">The voter.</param>
    /// <param name="remaining">The others.</param>
    /// <param name="answering">How many of them answer now.</param>
    public static string Removing(string who, IReadOnlyList<string> remaining, int answering)
    {
        if (remaining.Count == 0)
        {
            return $"{who} is the only voter: a group cannot be without one.";
        }

        var text = $"Removing {who} leaves {string.Join(", ", remaining)}: {Describe(remaining.Count)}.";
        return answering < Majority(remaining.Count)
            ? $"{text}\nOnly {answering} of them answer{(answering == 1 ? "s" : "")}: the group would have no quorum, and nobody could lead."
            : text;
    }

    private static string Losses(int tolerated) => tolerated == 0 ? "no loss is tolerated" : $"{Count(tolerated, "loss")} {(tolerated == 1 ? "is" : "are")} tolerated";

    private static string Count(int number, string thing) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {thing}{(number == 1 ? "" : thing.EndsWith('s') ? "es" : "s")}");
}
