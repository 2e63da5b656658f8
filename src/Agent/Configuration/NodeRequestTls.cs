using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>TLS of requests to nodes' REST APIs, from the <c>ctl</c> section.</summary>
public static class NodeRequestTls
{
    /// <summary>Options of a client.</summary>
    /// <param name="ctl">The section.</param>
    /// <param name="insecure">Do not verify servers.</param>
    /// <exception cref="IOException">A file cannot be read or used; the message names it.</exception>
    public static SslClientAuthenticationOptions Of(CtlSettings ctl, bool insecure)
    {
        var options = new SslClientAuthenticationOptions();
        string? reading = ctl.CertFile;
        try
        {
            if (ctl.CertFile is { } certificate)
            {
                string key = ctl.KeyFile ?? certificate;
                options.ClientCertificates = [ctl.KeyFilePassword is { } password
                    ? X509Certificate2.CreateFromEncryptedPemFile(certificate, password, key)
                    : X509Certificate2.CreateFromPemFile(certificate, key)];
            }
            if (insecure)
            {
                options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
            }
            else if (ctl.CaCert is { } file)
            {
                reading = file;
                var roots = new X509Certificate2Collection();
                roots.ImportFromPemFile(file);
                options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                options.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new IOException($"the certificate {reading} of the ctl section cannot be read: {e.Message}", e);
        }
        return options;
    }
}
