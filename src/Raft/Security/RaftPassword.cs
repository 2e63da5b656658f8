using System.Security.Cryptography;

namespace Patroni.Raft.Consensus;

/// <summary>Makes values for <c>raft.password</c>.</summary>
public static class RaftPassword
{
    // Without letters and digits that are mistaken for each other when read aloud.
    private const string Alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

    /// <summary>A random password of about 186 bits, safe in YAML, JSON and shells without quoting.</summary>
    public static string Generate() => RandomNumberGenerator.GetString(Alphabet, 32);
}
