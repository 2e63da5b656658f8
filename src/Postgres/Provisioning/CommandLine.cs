using System.Text;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Splits a configured command line into words as a POSIX shell would, without expanding anything and without a shell.</summary>
internal static class CommandLine
{
    /// <summary>The words; null when a quote is not closed or there is no word.</summary>
    internal static List<string>? Split(string text)
    {
        List<string> words = [];
        StringBuilder word = new();
        bool inWord = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsWhiteSpace(c))
            {
                if (inWord) words.Add(word.ToString());
                word.Clear();
                inWord = false;
                continue;
            }
            inWord = true;
            switch (c)
            {
                case '\'':
                    int end = text.IndexOf('\'', i + 1);
                    if (end < 0) return null;
                    word.Append(text, i + 1, end - i - 1);
                    i = end;
                    break;
                case '"':
                    for (i++; i < text.Length && text[i] != '"'; i++)
                    {
                        if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] is '"' or '\\' or '$' or '`') i++;
                        if (i < text.Length) word.Append(text[i]);
                    }
                    if (i >= text.Length) return null;
                    break;
                case '\\' when i + 1 < text.Length:
                    word.Append(text[++i]);
                    break;
                default:
                    word.Append(c);
                    break;
            }
        }
        if (inWord) words.Add(word.ToString());
        return words.Count == 0 ? null : words;
    }

    /// <summary>The executable's path, looked up through PATH when it has no slash (posix_spawn does not).</summary>
    internal static string Resolve(string file)
    {
        if (file.Contains('/')) return file;
        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
            if (File.Exists(Path.Combine(directory, file))) return Path.Combine(directory, file);
        return file;
    }
}
