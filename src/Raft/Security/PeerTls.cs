using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Patroni.Raft.Consensus.Security;

/// <summary>TLS 1.3 between nodes, both sides authenticated.</summary>
internal sealed class PeerTls : IDisposable
{
    private readonly X509Certificate2 certificate;
    private readonly RemoteCertificateValidationCallback validate;

    private PeerTls(X509Certificate2 certificate, RemoteCertificateValidationCallback validate)
    {
        this.certificate = certificate;
        this.validate = validate;
    }

    /// <exception cref="RaftStartException">Files that cannot be read, or do not belong together.</exception>
    public static PeerTls? Create(RaftSecurity security) => security switch
    {
        RaftSecurity.SharedPassword password => FromPassword(password),
        RaftSecurity.CertificateFiles files => FromFiles(files),
        _ => null,
    };

    public async Task<SslStream> AuthenticateServerAsync(Stream inner, CancellationToken token)
    {
        var stream = new SslStream(inner);
        await stream.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificate = certificate,
                ClientCertificateRequired = true,
                RemoteCertificateValidationCallback = validate,
                EnabledSslProtocols = SslProtocols.Tls13,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                AllowTlsResume = false,
            },
            token).ConfigureAwait(false);
        return stream;
    }

    public async Task<SslStream> AuthenticateClientAsync(Stream inner, string host, CancellationToken token)
    {
        var stream = new SslStream(inner);
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = host,
                ClientCertificates = [certificate],
                LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate,
                RemoteCertificateValidationCallback = validate,
                EnabledSslProtocols = SslProtocols.Tls13,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                AllowTlsResume = false,
            },
            token).ConfigureAwait(false);
        return stream;
    }

    public void Dispose() => certificate.Dispose();

    /// <summary>Whoever knows the password has this very key: the public key is pinned, names and dates mean nothing.</summary>
    private static PeerTls FromPassword(RaftSecurity.SharedPassword password)
    {
        using var key = DerivedSecrets.Of(password).CreateKeyPair();
        var request = new CertificateRequest("CN=patroni-raft", key, HashAlgorithmName.SHA256);
        var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2200, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var pinned = key.ExportSubjectPublicKeyInfo();
        return new PeerTls(certificate, (_, remote, _, _) => remote is X509Certificate2 presented
            && CryptographicOperations.FixedTimeEquals(presented.PublicKey.ExportSubjectPublicKeyInfo(), pinned));
    }

    private static PeerTls FromFiles(RaftSecurity.CertificateFiles files)
    {
        try
        {
            var certificate = X509Certificate2.CreateFromPemFile(files.CertificateFile, files.KeyFile);
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(files.CaFile);
            return new PeerTls(certificate, (_, remote, chain, _) => remote is X509Certificate2 presented && IsSignedBy(presented, chain, authorities));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new RaftStartException(
                RaftStartFailure.Configuration,
                $"raft.tls: certificate {files.CertificateFile}, key {files.KeyFile} or authority {files.CaFile} cannot be used: {e.Message}",
                e);
        }
    }

    /// <summary>Membership is what the authority vouches for; host names are not compared, because members are reached by address.</summary>
    private static bool IsSignedBy(X509Certificate2 presented, X509Chain? received, X509Certificate2Collection authorities)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in received?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return chain.Build(presented);
    }
}
