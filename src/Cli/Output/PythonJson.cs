using System.Globalization;
using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>JSON in the form of Python's <c>json.dumps</c>: blanks after separators, everything beyond ASCII escaped.</summary>
public static class PythonJson
{
    /// <summary>One line of JSON.</summary>
    public static string Write(SettingValue value)
    {
        var text = new StringBuilder();
        Write(text, value);
        return text.ToString();
    }

    private static void Write(StringBuilder text, SettingValue value)
    {
        switch (value)
        {
            case SettingMap map:
                text.Append('{');
                for (var i = 0; i < map.Entries.Length; i++)
                {
                    Quote(text.Append(i == 0 ? "" : ", "), map.Entries[i].Key);
                    Write(text.Append(": "), map.Entries[i].Value);
                }

                text.Append('}');
                break;
            case SettingList list:
                text.Append('[');
                for (var i = 0; i < list.Items.Length; i++)
                {
                    Write(text.Append(i == 0 ? "" : ", "), list.Items[i]);
                }

                text.Append(']');
                break;
            case SettingScalar { Kind: SettingScalarKind.Text } scalar:
                Quote(text, scalar.Text);
                break;
            case SettingScalar scalar:
                text.Append(scalar.Text);
                break;
            default:
                text.Append("null");
                break;
        }
    }

    private static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                < ' ' or > '~' => "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture),
                _ => c.ToString(),
            });
        }

        text.Append('"');
    }
}
