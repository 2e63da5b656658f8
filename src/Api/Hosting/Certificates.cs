using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Patroni.Raft.Api.Hosting;

/// <summary>
/// Certificate, key and CAs of the HTTPS listener. Every new connection takes what is current, so that a reload drops none.
/// </summary>
internal sealed class Certificates
{
    /// <summary>Clients that insist on HTTP/1.0 (curl --http1.0) offer nothing else; without it there would be no common protocol.</summary>
    private static readonly SslApplicationProtocol Http10 = new("http/1.0");

    private volatile SslServerAuthenticationOptions current;

    /// <exception cref="ApiStartException">A file cannot be used.</exception>
    public Certificates(ApiTls tls) => current = Load(tls);

    /// <summary>What a new connection uses. A copy, because the host adds protocols to it.</summary>
    public SslServerAuthenticationOptions ForConnection()
    {
        SslServerAuthenticationOptions options = current;
        return new()
        {
            ServerCertificateContext = options.ServerCertificateContext,
            ClientCertificateRequired = options.ClientCertificateRequired,
            RemoteCertificateValidationCallback = options.RemoteCertificateValidationCallback,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11, Http10],
        };
    }

    /// <summary>Reads the files again, or others; when one cannot be used the old ones stay.</summary>
    /// <exception cref="ApiStartException">A file cannot be used.</exception>
    public void Reload(ApiTls tls) => current = Load(tls);

    private static SslServerAuthenticationOptions Load(ApiTls tls)
    {
        (X509Certificate2 certificate, X509Certificate2Collection chain) = LoadCertificate(tls);
        X509Certificate2Collection? authorities = LoadAuthorities(tls);
        return new()
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true),
            ClientCertificateRequired = tls.VerifyClient != ClientVerification.None,
            RemoteCertificateValidationCallback = tls.VerifyClient == ClientVerification.None
                ? null
                : (_, client, _, _) => client is null ? tls.VerifyClient == ClientVerification.Optional : IsTrusted(client, authorities),
        };
    }

    private static (X509Certificate2 Certificate, X509Certificate2Collection Chain) LoadCertificate(ApiTls tls)
    {
        string keyFile = tls.KeyFile ?? tls.CertFile;
        try
        {
            string certificatePem = File.ReadAllText(tls.CertFile), keyPem = File.ReadAllText(keyFile);
            X509Certificate2 certificate = tls.KeyFilePassword is { } password && keyPem.Contains("ENCRYPTED", StringComparison.Ordinal)
                ? X509Certificate2.CreateFromEncryptedPem(certificatePem, keyPem, password)
                : X509Certificate2.CreateFromPem(certificatePem, keyPem);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(certificatePem);
            return (certificate, chain);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new ApiStartException(
                ApiStartFailure.CertificateUnusable, $"restapi.certfile {tls.CertFile} with key {keyFile} cannot be used: {error.Message}", error);
        }
    }

    private static X509Certificate2Collection? LoadAuthorities(ApiTls tls)
    {
        if (tls.CaFile is not { } file) return null;
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(file);
            if (authorities.Count > 0) return authorities;
            throw new ApiStartException(ApiStartFailure.CertificateUnusable, $"restapi.cafile {file} contains no certificate.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ApiStartException(ApiStartFailure.CertificateUnusable, $"restapi.cafile {file} cannot be used: {error.Message}", error);
        }
    }

    private static bool IsTrusted(X509Certificate client, X509Certificate2Collection? authorities)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        // No downloads of missing issuers in the middle of a handshake.
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2"));
        if (authorities is not null)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        }
        if (client is X509Certificate2 certificate) return chain.Build(certificate);
        using var copy = X509CertificateLoader.LoadCertificate(client.GetRawCertData());
        return chain.Build(copy);
    }
}
