using System.Security.Cryptography;
using System.Text;
using Patroni.Raft.Consensus.Security;

namespace Patroni.Raft.Consensus;

/// <summary>
/// The bearer token of node-to-node HTTP requests, derived from the same password as the Raft port's keys. Send it as
/// <c>Authorization: Bearer (Value)</c>.
/// </summary>
public sealed class NodeToken
{
    private readonly byte[] expected;

    private NodeToken(string value)
    {
        Value = value;
        expected = SHA256.HashData(Encoding.UTF8.GetBytes(value));
    }

    /// <summary>64 hexadecimal digits.</summary>
    public string Value { get; }

    /// <summary>The token of a password; null for the other kinds of security, which share no secret.</summary>
    public static NodeToken? Of(RaftSecurity security) => security is RaftSecurity.SharedPassword password
        ? new NodeToken(Convert.ToHexStringLower(DerivedSecrets.Of(password).Derive("node token", 32)))
        : null;

    /// <summary>Compares in constant time; hashing first hides the length too.</summary>
    public bool Matches(string? presented)
        => presented is not null
            && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(presented)), expected);
}
