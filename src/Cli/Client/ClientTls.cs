using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Patroni.Raft.Agent.Configuration;

namespace Patroni.Raft.Cli.Client;

/// <summary>The certificates of the <c>ctl</c> section.</summary>
internal static class ClientTls
{
    /// <summary>Options for connections to nodes.</summary>
    /// <exception cref="CliException">A file cannot be read.</exception>
    public static SslClientAuthenticationOptions Of(CtlSettings ctl, bool insecure)
    {
        var options = new SslClientAuthenticationOptions();
        var reading = ctl.CertFile;
        try
        {
            if (ctl.CertFile is { } certificate)
            {
                var key = ctl.KeyFile ?? certificate;
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
            throw new CliException($"the certificate {reading} of the ctl section cannot be read: {e.Message}");
        }

        return options;
    }
}
