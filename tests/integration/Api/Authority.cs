namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>A certificate authority made with openssl, as an operator makes one.</summary>
internal sealed class Authority
{
    private readonly string directory;

    private Authority(string directory) => this.directory = directory;

    public string Certificate => File("ca.crt");

    public static async Task<Authority> CreateAsync(string directory)
    {
        Directory.CreateDirectory(directory);
        var authority = new Authority(directory);
        await System.IO.File.WriteAllTextAsync(authority.File("req.cnf"), "[req]\ndistinguished_name=dn\n[dn]\n");
        await authority.RequestAsync("ca", "test authority", "-nodes", "-addext", "basicConstraints=critical,CA:TRUE");
        return authority;
    }

    /// <summary>Makes NAME.crt and NAME.key, again under the same name for a renewal.</summary>
    /// <param name="name">Of the files.</param>
    /// <param name="subject">Common name.</param>
    /// <param name="usage">serverAuth or clientAuth.</param>
    /// <param name="password">Of the key; null leaves it open.</param>
    public async Task<(string Certificate, string Key)> IssueAsync(string name, string subject, string usage, string? password = null)
    {
        string[] key = password is null ? ["-nodes"] : ["-passout", $"pass:{password}"];
        await RequestAsync(name, subject, [.. key, "-CA", File("ca.crt"), "-CAkey", File("ca.key"), "-addext", "subjectAltName=IP:127.0.0.1",
            "-addext", $"extendedKeyUsage={usage}", "-addext", "basicConstraints=critical,CA:FALSE"]);
        return (File($"{name}.crt"), File($"{name}.key"));
    }

    private Task<string> RequestAsync(string name, string subject, params string[] arguments) => Tool.MustAsync("openssl",
    [
        "req", "-x509", "-config", File("req.cnf"), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2", "-subj", $"/CN={subject}",
        "-keyout", File($"{name}.key"), "-out", File($"{name}.crt"), .. arguments,
    ]);

    private string File(string name) => Path.Combine(directory, name);
}
