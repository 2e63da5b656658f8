using System.Globalization;
using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>An explanation as text for a terminal.</summary>
public static class StoryText
{
    /// <summary>Renders the situation and the stories; ends with a line break.</summary>
    /// <param name="explanation">What to tell.</param>
    /// <param name="zone">Time zone of the times that are shown.</param>
    public static string Render(Explanation explanation, TimeZoneInfo zone)
    {
        var text = new StringBuilder();
        if (explanation.Now is { } now) Section(text, "Now: " + now.Headline, now.Reasons.Select(static reason => "- " + reason));
        foreach (LeadershipStory story in explanation.Changes)
        {
            if (text.Length > 0) text.Append('\n');
            Tell(text, story, zone);
        }
        return text.ToString();
    }

    /// <summary>All stories in a table, one a line, newest first.</summary>
    public static string RenderList(IReadOnlyList<LeadershipStory> stories, TimeZoneInfo zone) =>
        PrettyTable.Draw(" Changes of leadership ", [("N", Align.Right), ("Time", Align.Left), ("Epoch", Align.Left), ("TL", Align.Right), ("From", Align.Left), ("To", Align.Left), ("Without primary", Align.Right), ("What", Align.Left)],
            [.. stories.Select(story => (IReadOnlyList<string>)[
                story.Ago.ToString(CultureInfo.InvariantCulture), Time(Start(story), zone, "yyyy-MM-dd HH:mm:ss"), story.Epoch?.ToString() ?? "",
                story.Timeline.IsKnown ? story.Timeline.ToString() : "", story.From?.ToString() ?? "", story.To?.ToString() ?? "",
                story.Phases.WithoutPrimaryMs is { } ms ? Seconds(ms) : "", story.Headline])]) + "\n";

    /// <summary>Local time of an event with milliseconds, as <c>events</c> and <c>explain</c> show it.</summary>
    public static string Time(long unixMs, TimeZoneInfo zone, string format = "HH:mm:ss.fff") =>
        TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(unixMs, 0, 253_402_300_799_999)), zone).ToString(format, CultureInfo.InvariantCulture);

    private static long Start(LeadershipStory story) => story.Steps.IsEmpty ? 0 : story.Steps[0].UnixMs;

    private static void Tell(StringBuilder text, LeadershipStory story, TimeZoneInfo zone)
    {
        string which = story.Ago == 1 ? "The last change of leadership" : $"Change of leadership {story.Ago} (1 is the last)";
        text.Append(CultureInfo.InvariantCulture, $"{which}: {story.Headline}\n");
        text.Append(CultureInfo.InvariantCulture, $"{Time(Start(story), zone, "yyyy-MM-dd HH:mm:ss zzz")}{Ids(story)}\n");
        if (!story.Complete) text.Append("Earlier events of this change are no longer kept.\n");
        Section(text, "\nWhat happened", Steps(story, zone));
        if (!story.Candidates.IsEmpty || !story.Unanswered.IsEmpty) Candidates(text, story);
        if (story.Decision is { } decision) Section(text, $"\nWhy {story.To}", Decision(story, decision));
        Section(text, "\nHow long it took", Phases(story.Phases));
        if (story.From is not null) Section(text, "\nWhat could be lost", [story.Loss.Sentence]);
        if (story.Former is { } former) Section(text, "\nThe former leader", [$"{former.Node}: {former.Sentence}{At(story, former.UnixMs)}"]);
        Section(text, "\nThe other members", story.Followers.Select(follower => Follower(story, follower)));
    }

    private static string Ids(LeadershipStory story) => string.Concat(
        story.Vacancy is { } vacancy ? $", vacancy {vacancy}" : "", story.Epoch is { } epoch ? $", epoch {epoch}" : "",
        story.Timeline.IsKnown ? $", timeline {story.Timeline}" : "");

    private static void Section(StringBuilder text, string title, IEnumerable<string> lines)
    {
        bool first = true;
        foreach (string line in lines)
        {
            if (first) text.Append(title).Append('\n');
            first = false;
            text.Append("  ").Append(line).Append('\n');
        }
        if (first && title[0] != '\n') text.Append(title).Append('\n');
    }

    private static IEnumerable<string> Steps(LeadershipStory story, TimeZoneInfo zone)
    {
        long zero = Start(story);
        foreach (StoryStep step in story.Steps)
            yield return $"{Time(step.UnixMs, zone)} {Relative(step.UnixMs - zero),10}  {step.Sentence}";
    }

    private static void Candidates(StringBuilder text, LeadershipStory story)
    {
        text.Append("\nWho could lead\n");
        List<IReadOnlyList<string>> rows = [.. story.Candidates.Select(verdict => (IReadOnlyList<string>)[
            verdict.Node.ToString(), verdict.Node == story.To ? "won" : verdict.Eligible ? "eligible" : verdict.Rule == "election.declined" ? "declined" : "refused",
            verdict.Timeline.IsKnown ? verdict.Timeline.ToString() : "", verdict.EndOfWal.IsValid ? verdict.EndOfWal.ToString() : "",
            verdict.Timeline.IsKnown ? verdict.FailoverPriority.ToString(CultureInfo.InvariantCulture) : "", verdict.Node == story.To ? "" : verdict.Reason])];
        rows.AddRange(story.Unanswered.Select(node => (IReadOnlyList<string>)[node.ToString(), "no answer", "", "", "", node == story.From ? "led before, not waited for" : story.ClosedBy == ElectionEnd.Answered ? $"not waited for: only {story.To} could win" : ""]));
        string table = PrettyTable.Draw("", [("Member", Align.Left), ("Verdict", Align.Left), ("TL", Align.Right), ("End of WAL", Align.Right), ("Priority", Align.Right), ("Reason", Align.Left)], rows);
        foreach (string line in table.Split('\n')) text.Append("  ").Append(line).Append('\n');
    }

    private static IEnumerable<string> Decision(LeadershipStory story, WinningRule decision)
    {
        yield return $"{decision.Sentence} [{decision.Rule}]";
        if (story.ClosedBy == ElectionEnd.Answered) yield return "the election closed because everybody who is waited for had answered";
        if (story.ClosedBy == ElectionEnd.Waited) yield return "the election was closed after the wait, without those who had not answered";
    }

    private static IEnumerable<string> Phases(StoryPhases phases)
    {
        (string Name, long? Ms)[] all =
        [
            ("request to vacancy (the old primary stops)", phases.RequestToVacancyMs),
            ("last renewal to expiry of the lease", phases.LastRenewalToVacancyMs),
            ("vacancy to the first stand", phases.VacancyToFirstStandMs),
            ("first stand to the election", phases.FirstStandToElectedMs),
            ("election to the promotion", phases.ElectedToPromotedMs),
            ("promotion to the first checkpoint", phases.PromotedToCheckpointedMs),
            ("promotion until all members stream", phases.PromotedToAllStreamingMs),
            ("without a primary, at most", phases.WithoutPrimaryMs),
        ];
        return all.Where(static phase => phase.Ms is not null).Select(static phase => $"{phase.Name,-43} {Seconds(phase.Ms!.Value),11}");
    }

    private static string Follower(LeadershipStory story, FollowerReturn follower) => follower.StreamingUnixMs is { } at
        ? $"{follower.Node}: streams{At(story, at)}"
        : $"{follower.Node}: does not stream yet{(follower.Note.Length > 0 ? $"; it waits: {follower.Note}" : "")}";

    private static string At(LeadershipStory story, long? unixMs) => unixMs is { } at ? $" ({Relative(at - Start(story))})" : "";

    private static string Relative(long ms) => (ms < 0 ? "-" : "+") + Seconds(Math.Abs(ms));

    private static string Seconds(long ms) => (ms / 1000m).ToString("#,0.000", CultureInfo.InvariantCulture) + " s";
}
