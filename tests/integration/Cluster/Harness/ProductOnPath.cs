using System.Diagnostics;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>A directory whose programs of given names are the product, for shells and scripts that call it by name.</summary>
internal sealed class ProductOnPath : IDisposable
{
    public ProductOnPath(params string[] names)
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("p").FullName;
        foreach (string name in names) Install(name);
    }

    public string Directory { get; }

    private void Install(string name)
    {
        string program = Path.Combine(Directory, name);
        // The name counts: called as patronictl it is that program.
        File.WriteAllText(program, $"#!/bin/bash\nexec -a {name} {string.Join(' ', Product.Executable.Select(static part => $"'{part}'"))} \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Puts the directory before everything else in the path of a process to be started.</summary>
    public void PutOnPath(ProcessStartInfo start)
    {
        start.Environment["PATH"] = $"{Directory}:{Environment.GetEnvironmentVariable("PATH")}";
        start.Environment["HOME"] = start.Environment["TMPDIR"] = Directory;
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
