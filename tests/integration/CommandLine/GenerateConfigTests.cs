using System.Diagnostics;
using System.Text.Json.Nodes;
using Npgsql;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.CommandLine;

/// <summary>The way from a PostgreSQL that nobody manages to a node: the generated file is accepted, and its agent adopts the data.</summary>
public sealed class GenerateConfigTests : IAsyncDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("g").FullName;
    private readonly int port = Ports.Free();

    private string Data => Path.Combine(root, "data");

    public async ValueTask DisposeAsync()
    {
        await ToolAsync("pg_ctl", "-D", Data, "-m", "immediate", "stop");
        ProcessControl.KillAllIn(Data);
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public async Task A_running_PostgreSQL_is_described_and_the_agent_started_with_its_file_adopts_it()
    {
        await StartAsync();
        string file = Path.Combine(root, "node.yml");
        ProductResult written = await Product.RunAsync(root, ["--generate-config", file, "--dsn", $"host=127.0.0.1 port={port} user=postgres password=secret"]);
        Assert.True(written.ExitCode == 0, written.Error);
        Assert.Contains("Note: postgresql.authentication.replication.password must be written: it says FIXME\n", written.Error, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        string text = await File.ReadAllTextAsync(file);
        foreach (string line in new[] { "scope: sales", "  data_dir: " + Data, "        work_mem: 7MB", "  - host    all             all             127.0.0.1/32            trust", "      use_pg_rewind: true", "      password: secret" })
            Assert.Contains(line + "\n", text, StringComparison.Ordinal);
        Assert.NotEqual(0, (await Product.RunAsync(root, ["--generate-config", file, "--dsn", $"port={port} host=127.0.0.1 user=postgres"])).ExitCode);
        Assert.Equal(text, await File.ReadAllTextAsync(file));

        int api = Ports.Free();
        string[] run = ["run", file, "--set", $"restapi.listen=127.0.0.1:{api}", "--set", $"restapi.connect_address=127.0.0.1:{api}", "--set", $"raft.self_addr=127.0.0.1:{Ports.Free()}",
            "--set", $"raft.data_dir={root}/raft", "--set", $"postgresql.pgpass={root}/pgpass", "--set", "name=first"];
        Assert.Equal(0, (await Product.RunAsync(root, ["run", "--validate-config", .. run[1..]])).ExitCode);
        using Process agent = Product.StartLogged(root, Path.Combine(root, "agent.log"), run);
        try
        {
            await Wait.UntilAsync("the adopted server to be primary", async () => (await Rest.SendAsync(HttpMethod.Get, $"http://127.0.0.1:{api}/primary")).Status == 200);
            Assert.Equal(1, await SqlAsync("SELECT id FROM before_us"));
            ProductResult effective = await Product.RunAsync(root, ["show-config", "--effective", "-c", file, "-d", $"http://127.0.0.1:{api}"]);
            Assert.Matches(@"\| postgresql\.parameters\.work_mem +\| 7MB +\| dynamic +\|", effective.Output);
        }
        finally
        {
            agent.Kill();
            agent.WaitForExit();
        }
    }

    [Fact]
    public async Task All_problems_of_a_file_are_printed_with_path_and_line_and_a_PostgreSQL_that_is_not_there_is_named()
    {
        string file = Path.Combine(root, "wrong.yml");
        await File.WriteAllTextAsync(file, "scope: x\nname: y\nrestapi:\n  listen: nowhere\nraft:\n  self_addr: 127.0.0.1:7008\n  data_dir: r\npostgresql:\n  listne: 127.0.0.1:5432\n  data_dir: d\nbootstrap:\n  dcs:\n    ttl: soon\n");
        ProductResult checkedFile = await Product.RunAsync(root, ["--validate-config", file]);
        Assert.Equal(1, checkedFile.ExitCode);
        foreach (string problem in new[] { $"Error: {file}:4: restapi.listen: ", $"Error: {file}:9: postgresql.listne: ", $"Error: {file}:13: bootstrap.dcs.ttl: ", "postgresql.authentication" })
            Assert.Contains(problem, checkedFile.Error, StringComparison.Ordinal);
        ProductResult nobody = await Product.RunAsync(root, ["--generate-config", "--dsn", $"host=127.0.0.1 port={port} user=postgres"]);
        Assert.Equal((1, ""), (nobody.ExitCode, nobody.Output));
        Assert.StartsWith($"Error: PostgreSQL at 127.0.0.1:{port} cannot be asked as postgres: ", nobody.Error, StringComparison.Ordinal);
    }

    private async Task StartAsync()
    {
        await ToolAsync("initdb", "-D", Data, "-U", "postgres", "-A", "trust", "-k", "-N", "--locale=C", "-E", "UTF8");
        await File.AppendAllTextAsync(Path.Combine(Data, "postgresql.conf"),
            $"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{root}'\nwork_mem = '7MB'\nshared_buffers = '16MB'\ncluster_name = 'sales'\n");
        Assert.Equal(0, await ToolAsync("pg_ctl", "-D", Data, "-l", Path.Combine(root, "pg.log"), "-w", "start"));
        await SqlAsync("CREATE TABLE before_us AS SELECT 1 AS id");
    }

    private async Task<object?> SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={port};Username=postgres;Password=secret;Database=postgres;Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    private async Task<int> ToolAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", Path.Combine(root, "tools.log"), Path.Combine(Product.PostgresBinaries, program), .. arguments]) { WorkingDirectory = root };
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
