using System.Globalization;

namespace Patroni.Raft.ChaosTests;

/// <summary>How long and how hard a run is, from the environment; tests/chaos/run sets it.</summary>
internal static class Settings
{
    public static bool Has(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 };

    public static double Number(string name, double usual) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } given ? double.Parse(given, CultureInfo.InvariantCulture) : usual;
}
