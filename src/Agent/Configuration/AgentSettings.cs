using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>The configuration in the terms of the layers below.</summary>
public static class AgentSettings
{
    /// <summary>Settings of the instance with the dynamic configuration in force.</summary>
    /// <exception cref="InvalidOperationException">The node is a witness.</exception>
    public static PostgresSettings ForPostgres(NodeConfiguration node, DynamicConfiguration dynamic)
    {
        var local = node.Postgresql ?? throw new InvalidOperationException("a witness has no PostgreSQL");
        var effective = EffectivePostgres.Merge(node.Scope, local, dynamic.Postgresql);
        return new PostgresSettings
        {
            Name = node.Name,
            Scope = node.Scope,
            DataDir = local.DataDirectory,
            StateDirectory = local.StateDirectory,
            ConfigDir = local.ConfigDirectory == local.DataDirectory ? null : local.ConfigDirectory,
            BinDir = local.BinDirectory ?? "",
            BinName = System.Collections.Immutable.ImmutableDictionary.ToImmutableDictionary(local.BinNames),
            ListenAddresses = local.ListenHosts,
            Port = local.Port,
            ConnectAddress = new PostgresAddress(local.ConnectAddress.Host, local.ConnectAddress.Port),
            ProxyAddress = local.ProxyAddress is { } proxy ? new PostgresAddress(proxy.Host, proxy.Port) : null,
            Database = local.Database,
            UnixSocketDirectories = effective.Parameters.TryGetValue("unix_socket_directories", out var sockets)
                ? [.. sockets.Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)] : [],
            UseUnixSocket = effective.UseUnixSocket,
            UseUnixSocketReplication = effective.UseUnixSocketRepl,
            PgPass = local.PgPass,
            Superuser = local.Superuser,
            Replication = local.Replication,
            Rewind = local.Rewind,
            // What the agent itself sets is not a setting; the layer below derives it from the fields above.
            Parameters = ServerParameters.Of(effective.Parameters.Values.Where(p => p.Origin != SettingOrigin.Agent)
                .Select(p => KeyValuePair.Create(p.Name, p.Value))),
            PgHba = effective.PgHba ?? [],
            PgIdent = effective.PgIdent ?? [],
            CustomConf = local.CustomConf,
            UseSlots = effective.UseSlots,
            UsePgRewind = effective.UsePgRewind,
            RemoveDataDirectoryOnRewindFailure = effective.RemoveDataDirectoryOnRewindFailure,
            RemoveDataDirectoryOnDivergedTimelines = effective.RemoveDataDirectoryOnDivergedTimelines,
            PgCtlTimeout = effective.PgCtlTimeout,
            InitdbOptions = node.Bootstrap.InitDb,
            CustomBootstrap = node.Bootstrap.Method,
            PostBootstrap = node.Bootstrap.PostBootstrap,
            BootstrapPgHba = node.Bootstrap.PgHba,
            CreateReplicaMethods = effective.CreateReplicaMethods,
            RewindOptions = effective.Rewind,
            RecoveryConf = effective.RecoveryConf,
            Callbacks = effective.Callbacks,
            PrePromote = effective.PrePromote,
            BeforeStop = effective.BeforeStop,
        };
    }

    /// <summary>Options of the Raft node; a problem when the name in bind_addr cannot be resolved.</summary>
    public static (RaftOptions? Options, ConfigurationProblem? Problem) ForRaft(NodeConfiguration node)
    {
        var raft = node.Raft;
        if (BindAddress(raft.BindAddress.Host) is not { } bind)
        {
            return (null, new("raft.bind_addr", $"{raft.BindAddress.Host} cannot be resolved to an address of this machine",
                ConfigurationProblemKind.OutOfRange, 0, node.Source));
        }

        return (new RaftOptions
        {
            BindEndPoint = new IPEndPoint(bind, raft.BindAddress.Port),
            SelfEndPoint = RaftAddress.Parse(raft.SelfAddress.ToString()),
            InitialMembers = raft.Join.IsEmpty ? [.. raft.Partners.Prepend(raft.SelfAddress).Select(a => RaftAddress.Parse(a.ToString()))] : [],
            Join = !raft.Join.IsEmpty,
            DataDirectory = raft.DataDirectory,
            Security = raft switch
            {
                { Tls: { } tls } => RaftSecurity.Certificates(tls.CertFile, tls.KeyFile, tls.CaFile),
                { Password: { } password } => RaftSecurity.Password(password, node.Scope),
                _ => RaftSecurity.None,
            },
            ElectionTimeoutLower = raft.ElectionTimeoutLower,
            ElectionTimeoutUpper = raft.ElectionTimeoutUpper,
        }, null);
    }

    private static IPAddress? BindAddress(string host)
    {
        if (host == "*")
        {
            return IPAddress.Any;
        }

        if (IPAddress.TryParse(host, out var address))
        {
            return address;
        }

        try
        {
            var found = Dns.GetHostAddresses(host);
            return found.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? found.FirstOrDefault();
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
