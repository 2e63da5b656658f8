namespace Patroni.Raft.Consensus;

/// <summary>How the Raft port is protected.</summary>
public abstract record RaftSecurity
{
    private RaftSecurity()
    {
    }

    /// <summary>Plain TCP; accepted on loopback only.</summary>
    public static RaftSecurity None { get; } = new Open();

    /// <summary>TLS 1.3 with a key pair derived from a shared password; each side pins the other's public key.</summary>
    /// <param name="Secret">The value of <c>raft.password</c>.</param>
    /// <param name="Scope">The cluster's scope, so that one password in two clusters gives two keys.</param>
    public static RaftSecurity Password(string Secret, string Scope) => new SharedPassword(Secret, Scope);

    /// <summary>Mutual TLS with PEM files: both sides must chain to <paramref name="caFile"/>.</summary>
    /// <param name="certificateFile">Certificate (chain) of this node.</param>
    /// <param name="keyFile">Its private key, unencrypted.</param>
    /// <param name="caFile">The authority that signed all nodes' certificates.</param>
    public static RaftSecurity Certificates(string certificateFile, string keyFile, string caFile)
        => new CertificateFiles(certificateFile, keyFile, caFile);

    internal sealed record Open : RaftSecurity;

    internal sealed record SharedPassword(string Secret, string Scope) : RaftSecurity
    {
        public override string ToString() => $"password of scope {Scope}";
    }

    internal sealed record CertificateFiles(string CertificateFile, string KeyFile, string CaFile) : RaftSecurity;
}
