using System.Globalization;
using System.Text.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>An event as one line.</summary>
public static class EventLines
{
    /// <summary>Time, number, sentence and rule.</summary>
    public static string Text(EventRecord record, TimeZoneInfo zone) => string.Create(CultureInfo.InvariantCulture,
        $"{StoryText.Time(record.UnixMs, zone, "yyyy-MM-dd HH:mm:ss.fff")} #{record.Id} {EventSentences.Of(record.Event).ReplaceLineEndings(" ")} [{record.Rule}]");

    /// <summary>One JSON object, as <c>GET /events</c> has it.</summary>
    public static string Json(EventRecord record) => JsonSerializer.Serialize(record, StateJson.Default.EventRecord);
}
