using System.Net.Security;
using Patroni.Raft.Agent.Configuration;

namespace Patroni.Raft.Cli.Client;

/// <summary>The certificates of the <c>ctl</c> section.</summary>
internal static class ClientTls
{
    /// <summary>Options for connections to nodes.</summary>
    /// <exception cref="CliException">A file cannot be read.</exception>
    public static SslClientAuthenticationOptions Of(CtlSettings ctl, bool insecure)
    {
        try
        {
            return NodeRequestTls.Of(ctl, insecure);
        }
        catch (IOException e)
        {
            throw new CliException(e.Message);
        }
    }
}
