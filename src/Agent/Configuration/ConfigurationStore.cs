using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// The configuration in force. <see cref="Reload"/> (SIGHUP, POST /reload) reads everything again; on any problem the one in force stays.
/// </summary>
public sealed class ConfigurationStore(ConfigurationRequest request, NodeConfiguration first)
{
    private readonly Lock _reloading = new();
    private readonly SettingMap _started = first.Document;
    private volatile NodeConfiguration _current = first;

    /// <summary>The configuration in force.</summary>
    public NodeConfiguration Current => _current;

    /// <summary>Reads everything again; identity, directories, the API's port and the Raft group keep their values until a restart, with a notice.</summary>
    public ConfigurationResult Reload()
    {
        lock (_reloading)
        {
            var read = ConfigurationLoader.Load(request);
            if (read.Configuration is not { } next)
            {
                return read;
            }

            var old = _current;
            var notices = read.Notices.ToList();
            foreach (var path in new[] { "name", "scope", "namespace", "raft", "restapi.listen", "postgresql.data_dir", "postgresql.config_dir" })
            {
                if (!Same(_started.Find(path), next.Document.Find(path)))
                {
                    notices.Add($"{path} changed; this takes effect when the agent is restarted");
                }
            }

            next = next with
            {
                Name = old.Name,
                Scope = old.Scope,
                Namespace = old.Namespace,
                Raft = old.Raft,
                RestApi = next.RestApi with { Listen = old.RestApi.Listen },
                Postgresql = next.Postgresql is { } p && old.Postgresql is { } was
                    ? p with { DataDirectory = was.DataDirectory, ConfigDirectory = was.ConfigDirectory }
                    : old.Postgresql,
                Notices = [.. notices],
            };
            _current = next;
            return new(next, [], notices);
        }
    }

    private static bool Same(SettingValue? a, SettingValue? b) =>
        (a is null && b is null) || (a is not null && b is not null && SettingJson.Write(a) == SettingJson.Write(b));
}
