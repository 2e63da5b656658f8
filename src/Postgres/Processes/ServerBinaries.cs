using System.Collections.Concurrent;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>The installed PostgreSQL programs.</summary>
public static class ServerBinaries
{
    /// <summary>Oldest supported major version.</summary>
    public const int OldestVersion = 12;

    private static readonly string[] Needed = ["postgres", "initdb", "pg_controldata", "pg_basebackup", "pg_rewind"];
    private static readonly ConcurrentDictionary<(string Path, DateTime Changed), int> Known = new();

    /// <summary>The programs that are missing or not executable; empty when all are there.</summary>
    public static IReadOnlyList<string> FindMissing(PostgresSettings settings) =>
        [.. Needed.Select(settings.Binary).Where(path => Libc.Access(path, 1) != 0)];

    /// <summary>Major version of <c>postgres</c>; null with the reason when it cannot be run or is too old.</summary>
    public static async Task<(int? Version, string? Error)> MajorVersionAsync(PostgresSettings settings, CancellationToken cancel = default)
    {
        string path = settings.Binary("postgres");
        (string, DateTime) key = (path, File.Exists(path) ? File.GetLastWriteTimeUtc(path) : default);
        if (Known.TryGetValue(key, out int known)) return (known, null);
        ToolResult result = await Tool.RunAsync(
            new() { File = path, Arguments = ["--version"], WorkingDirectory = "/", Environment = Tool.CLocale }, TimeSpan.FromSeconds(30), cancel: cancel);
        if (!result.IsSuccess)
            return (null, $"{path} --version failed ({result.Describe()}): set postgresql.bin_dir to the directory of the PostgreSQL binaries");
        if (ParseMajor(result.Output) is not { } version) return (null, $"{path} --version answers '{result.Output.Trim()}', which has no version");
        if (version < OldestVersion) return (null, $"{path} is PostgreSQL {version}; {OldestVersion} or later is needed");
        Known[key] = version;
        return (version, null);
    }

    /// <summary>"postgres (PostgreSQL) 15.8 (Debian ...)" gives 15; "17beta1" gives 17.</summary>
    internal static int? ParseMajor(string text)
    {
        foreach (string word in text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            string digits = new([.. word.TakeWhile(char.IsAsciiDigit)]);
            if (digits.Length != 0 && int.TryParse(digits, out int version)) return version;
        }
        return null;
    }
}
