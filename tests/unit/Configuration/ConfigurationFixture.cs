using Patroni.Raft.Agent.Configuration;

namespace Patroni.Raft.UnitTests.Configuration;

/// <summary>Loads configurations from text in a directory of its own.</summary>
internal sealed class ConfigurationFixture : IDisposable
{
    public const string Minimal = """
        scope: batman
        name: node1
        restapi:
          listen: 127.0.0.1:8008
          connect_address: 127.0.0.1:8008
        raft:
          self_addr: 127.0.0.1:7008
          partner_addrs: [127.0.0.1:7009, 127.0.0.1:7010]
          data_dir: raft
        postgresql:
          listen: 127.0.0.1:5432
          connect_address: 127.0.0.1:5432
          data_dir: data
          authentication:
            superuser: {username: postgres, password: a}
            replication: {username: replicator, password: b}

        """;

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("patroni-raft-config-").FullName;

    public static string RepositoryRoot
    {
        get
        {
            var at = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(at, "Patroni.Raft.sln")))
            {
                at = Path.GetDirectoryName(at)!;
            }

            return at;
        }
    }

    public string Write(string text, string name = "patroni.yml")
    {
        var path = Path.Combine(Directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    public ConfigurationResult Load(string text, string file = "patroni.yml", string? name = null, bool witness = false, string[]? set = null,
        params (string Name, string Value)[] environment) => ConfigurationLoader.Load(new ConfigurationRequest
        {
            Path = Write(text, file),
            Name = name,
            Witness = witness,
            Overrides = set ?? [],
            BaseDirectory = Directory,
            Environment = environment.ToDictionary(e => e.Name, e => e.Value),
        });

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
