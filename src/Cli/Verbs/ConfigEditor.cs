using System.Diagnostics;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>The user's editor on a temporary file. What was typed is not thrown away when it cannot be used.</summary>
internal sealed class ConfigEditor : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("patroni-raft-").FullName;
    private readonly string _file;
    private bool _keep;

    /// <summary>For a cluster's configuration.</summary>
    public ConfigEditor(string scope) => _file = Path.Combine(_directory, scope.Replace('/', '_') + "-config.yaml");

    /// <summary>Lets the user edit, and reads the result.</summary>
    /// <exception cref="CliException">There is no editor, it failed, or the text is no configuration.</exception>
    public async Task<SettingMap> EditAsync(SettingMap before, CancellationToken stop)
    {
        await File.WriteAllTextAsync(_file, YamlText.Block(before), stop).ConfigureAwait(false);
        var start = Command();
        try
        {
            using var process = Process.Start(start) ?? throw new CliException($"{start.FileName} cannot be started");
            await process.WaitForExitAsync(stop).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                throw new CliException($"Editor exited with return code {process.ExitCode}");
            }
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CliException($"{start.FileName} cannot be started: {new System.ComponentModel.Win32Exception(e.NativeErrorCode).Message}");
        }

        try
        {
            return ConfigChanges.Read(_file, TextReader.Null);
        }
        catch (CliException e)
        {
            throw new CliException(e.Message + Keep());
        }
    }

    /// <summary>Leaves the text behind, and says where.</summary>
    public string Keep()
    {
        _keep = true;
        return $"\nYour text is kept in {_file}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_keep)
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    // A value that is no file is a command line, as git and crontab take it: EDITOR="code --wait".
    private ProcessStartInfo Command()
    {
        static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
        var editor = Variable("EDITOR") ?? Variable("VISUAL") ?? new[] { "/usr/bin/editor", "/usr/bin/vi", "/bin/vi" }.FirstOrDefault(File.Exists)
            ?? throw new CliException("EDITOR environment variable is not set. editor or vi are not available");
        return editor.Contains(' ') && !File.Exists(editor)
            ? new ProcessStartInfo("/bin/sh") { ArgumentList = { "-c", $"exec {editor} \"$1\"", "sh", _file }, UseShellExecute = false }
            : new ProcessStartInfo(editor) { ArgumentList = { _file }, UseShellExecute = false };
    }
}
