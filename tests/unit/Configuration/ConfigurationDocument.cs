using System.Globalization;
using System.Text;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.UnitTests.Configuration;

/// <summary>The tables of docs/configuration.md, made from the schemas.</summary>
internal static class ConfigurationDocument
{
    public const string Begin = "<!-- tables: made from the schema; PATRONI_RAFT_UPDATE_DOCS=1 dotnet test tests/unit writes them anew -->";
    public const string End = "<!-- end of tables -->";

    public static string Tables()
    {
        var text = new StringBuilder();
        foreach (var section in LocalConfigurationSchema.Root.Children.Where(c => c.Key is not "bootstrap" && c.Children.Length > 0))
        {
            Table(text, $"`{section.Key}`", section.Walk(section.Key), places: section.Key == "postgresql");
        }

        Table(text, "Top level", LocalConfigurationSchema.Root.Children.Where(c => c.Children.Length == 0).Select(c => (c.Key, c)), false);
        var bootstrap = LocalConfigurationSchema.Root.Known("bootstrap")!;
        Table(text, "`bootstrap`", bootstrap.Walk("bootstrap").Where(s => !s.Path.StartsWith("bootstrap.dcs.", StringComparison.Ordinal)), false);
        Table(text, "Dynamic configuration (`bootstrap.dcs`, `GET|PATCH|PUT /config`)",
            DynamicConfigurationSchema.Root.Walk().Where(s => !s.Path.StartsWith("postgresql.", StringComparison.Ordinal)), false);
        text.Append("\n### Environment variables\n\n| variable | setting |\n|---|---|\n");
        foreach (var (name, path) in EnvironmentVariables.Known)
        {
            text.Append(CultureInfo.InvariantCulture, $"| `{name}` | `{path}` |\n");
        }

        return text.ToString();
    }

    private static void Table(StringBuilder text, string title, IEnumerable<(string Path, SettingSchema Setting)> settings, bool places)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n### {title}\n\n| key | type | default | meaning |\n|---|---|---|---|\n");
        foreach (var (path, s) in settings)
        {
            var place = places && s.Places != SettingPlaces.Both ? " Local only." : "";
            var effect = s.ImplementedFrom is null ? " *Accepted, without effect yet.*" : "";
            var required = s.Required ? " **Required.**" : "";
            text.Append(CultureInfo.InvariantCulture, $"| `{path}` | {Escape(Type(s))} | {(s.Default.Length == 0 ? "" : $"`{s.Default}`")} | {Escape(s.Description)}{required}{place}{effect} |\n");
        }
    }

    private static string Type(SettingSchema s) => s.Type == SettingType.Any ? "anything" : SettingHints.Expected(s);

    private static string Escape(string text) => text.Replace("|", "\\|").Replace("<", "&lt;");
}
