using System.Collections.Concurrent;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Patroni.Raft.Consensus.Security;

/// <summary>
/// Keys from the shared password: PBKDF2-HMAC-SHA256 once (kept in memory only, never on disk), then HKDF for each use.
/// </summary>
internal sealed class DerivedSecrets
{
    /// <summary>OWASP's figure for PBKDF2-HMAC-SHA256 (2023).</summary>
    public const int Rounds = 600_000;

    private const string Product = "Patroni.Raft v1";
    private static readonly ConcurrentDictionary<string, Lazy<DerivedSecrets>> Cache = new(StringComparer.Ordinal);

    private static readonly BigInteger P256Order = BigInteger.Parse(
        "0FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
        System.Globalization.NumberStyles.HexNumber,
        System.Globalization.CultureInfo.InvariantCulture);

    private readonly byte[] master;

    private DerivedSecrets(string password, string scope)
    {
        var salt = SHA256.HashData(Encoding.UTF8.GetBytes($"{Product}\n{scope}"));
        master = Rfc2898DeriveBytes.Pbkdf2(password, salt, Rounds, HashAlgorithmName.SHA256, 32);
    }

    public static DerivedSecrets Of(RaftSecurity.SharedPassword security)
    {
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{security.Scope.Length}\n{security.Scope}\n{security.Secret}")));
        return Cache.GetOrAdd(key, _ => new Lazy<DerivedSecrets>(() => new DerivedSecrets(security.Secret, security.Scope))).Value;
    }

    /// <summary>The group's key pair on P-256, equal on all nodes.</summary>
    public ECDsa CreateKeyPair()
    {
        // 48 bytes reduced modulo the order: the bias is below 2^-128 (FIPS 186-5, A.2.1).
        var wide = new BigInteger(Derive("tls key pair", 48), isUnsigned: true, isBigEndian: true);
        var secret = (wide % (P256Order - 1)) + 1;
        var d = new byte[32];
        var bytes = secret.ToByteArray(isUnsigned: true, isBigEndian: true);
        bytes.CopyTo(d, d.Length - bytes.Length);
        return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
    }

    public byte[] Derive(string purpose, int length)
        => HKDF.Expand(HashAlgorithmName.SHA256, master, length, Encoding.UTF8.GetBytes(purpose));
}
