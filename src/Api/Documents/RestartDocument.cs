using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>The <c>scheduled_restart</c> of <c>/patroni</c> and <c>/cluster</c>: the time, and what the request asked for besides.</summary>
internal static class RestartDocument
{
    /// <summary>Writes it.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="restart">The restart.</param>
    /// <param name="withPostmaster">Whether with the start of the postmaster it is meant for, as Patroni's <c>/cluster</c> shows and <c>/patroni</c> does not.</param>
    public static void Write(PythonJsonWriter writer, ScheduledRestart restart, bool withPostmaster)
    {
        writer.BeginObject();
        writer.Key("schedule").Text(restart.AtText);
        if (restart.Conditions.Role is { } role) writer.Key("role").Text(PostgresText.Of(role));
        if (restart.Conditions.PostgresVersion is { } version) writer.Key("postgres_version").Text(version);
        if (restart.Conditions.PendingOnly) writer.Key("restart_pending").Boolean(true);
        if (restart.TimeoutMs is { } timeoutMs) writer.Key("timeout").Number(timeoutMs / 1000);
        if (withPostmaster)
            writer.Key("postmaster_start_time").Text(restart.PostmasterStartUnixUs == 0 ? null : PythonTime.Text(restart.PostmasterStartUnixUs));
        writer.EndObject();
    }
}
