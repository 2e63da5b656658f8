using System.Globalization;

namespace Patroni.Raft.StateMachine;

/// <summary>Versions of PostgreSQL as people write them.</summary>
public static class ServerVersionText
{
    /// <summary>Reads 15.2 as 150002 and 9.6.24 as 90624.</summary>
    public static bool TryParse(string text, out int number) => Explain(text, out number) is null;

    /// <summary>As <see cref="TryParse"/>, with Patroni's sentence for what is wrong, or null.</summary>
    public static string? Explain(string text, out int number)
    {
        number = 0;
        string[] parts = text.Split('.');
        var numbers = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) || numbers[i] > 99)
                return $"Invalid PostgreSQL version: {text}";
        }
        if (numbers.Length is < 2 or > 3 || (numbers.Length == 2 && numbers[0] < 10))
            return $"Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: {text}";
        number = numbers.Length == 2 ? (numbers[0] * 10_000) + numbers[1] : (numbers[0] * 10_000) + (numbers[1] * 100) + numbers[2];
        return null;
    }
}
