using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Collects the events of one change of leadership, from the vacancy until the next one.</summary>
internal sealed class StoryBuilder
{
    private readonly List<StoryStep> steps = [];
    private readonly SortedDictionary<NodeName, FollowerReturn> followers = [];
    private readonly Dictionary<NodeName, Incarnation> data = [];
    private readonly EventRecord? request;
    private readonly EventRecord? primaryLost;
    private readonly EventRecord? fenceRecord;
    private VacancyOpened? opening;
    private long openedMs;
    private long? firstStandMs;
    private long lastAnswerIndex;
    private LeaderElected? elected;
    private EventRecord? electedRecord;
    private ElectionFruitless? fruitless;
    private Promotion? promotion;
    private long? promotedMs;
    private long? checkpointedMs;
    private bool formerHeard;
    private bool formerRemoved;
    private long? formerMs;
    private string formerNote = "";
    private DataOrigin formerOrigin;

    public StoryBuilder(StoryContext before, EventRecord first, EventRecord? fence)
    {
        fenceRecord = fence is { Event: GuardFenced { Node: var node } } && first.Event is VacancyOpened { FormerHolder: { } holder } && node == holder ? fence : null;
        foreach (NodeName member in before.Members)
        {
            followers[member] = new(member, null, "");
            data[member] = before.DataOf(member);
        }
        if (first.Event is VacancyOpened { Reason: VacancyReason.Switchover or VacancyReason.Failover } or VacancyOpened { Candidate: not null }) request = before.Request;
        primaryLost = before.PrimaryLost ?? (first.Event is VacancyOpened ? first : null);
        if (first.Event is VacancyOpened opened) Open(before, first, opened);
        else Add(first);
    }

    private FenceFacts? Fence => (fenceRecord?.Event as GuardFenced)?.Fence;

    private NodeName? Former => opening?.FormerHolder;

    private bool IsOver => promotion is not null && followers.Values.All(static follower => follower.StreamingUnixMs is not null);

    private void Open(StoryContext before, EventRecord record, VacancyOpened opened)
    {
        opening = opened;
        openedMs = record.UnixMs;
        if (request is not null) Tell(request);
        if (opened is { Reason: VacancyReason.LeaseExpired, LastRenewalUnixMs: > 0, FormerHolder: { } holder })
        {
            steps.Add(new(opened.LastRenewalUnixMs, 0, "lease.renew",
                $"{holder} renewed its lease for the last time: WAL written to {opened.LastLeaderLsn}, ttl {EventSentences.Seconds(opened.TtlMs)}"));
            if (before.SilenceOf(holder) is { } silence && silence.UnixMs >= opened.LastRenewalUnixMs) Tell(silence);
        }
        Tell(record);
    }

    public void Add(EventRecord record)
    {
        if (IsOver) return;
        switch (record.Event)
        {
            case NodeStood:
                firstStandMs ??= record.UnixMs;
                lastAnswerIndex = record.Index;
                Tell(record);
                break;
            case NodeDeclined or NodeWithdrew:
                lastAnswerIndex = record.Index;
                Tell(record);
                break;
            case ElectionFruitless e:
                fruitless = e;
                Tell(record);
                break;
            case LeaderElected e:
                (elected, electedRecord) = (e, record);
                followers.Remove(e.Winner);
                Tell(record);
                break;
            case LeaderPromoted e:
                // A second promotion under one epoch is the same leadership on a newer timeline.
                promotion = e.Promotion;
                promotedMs ??= record.UnixMs;
                Tell(record);
                break;
            case LeaderCheckpointed:
                checkpointedMs ??= record.UnixMs;
                Tell(record);
                break;
            case MemberChanged e:
                Change(record, e);
                break;
            case MemberJoined e:
                if (!followers.ContainsKey(e.Node) && e.Node != elected?.Winner) followers[e.Node] = new(e.Node, null, "");
                if (e.Node == Former) (formerHeard, formerMs) = (true, record.UnixMs);
                Tell(record);
                break;
            case MemberWentSilent e:
                if (e.Node == Former) (formerHeard, formerMs) = (false, record.UnixMs);
                Tell(record);
                break;
            case PeerRemoved e:
                followers.Remove(e.Node);
                if (e.Node == Former) (formerRemoved, formerMs) = (true, record.UnixMs);
                Tell(record);
                break;
            case GenerationRaised:
                Tell(record);
                break;
            default:
                // What operators and the configuration do matters to the story until there is a primary.
                if (promotion is null) Tell(record);
                break;
        }
    }

    private void Change(EventRecord record, MemberChanged e)
    {
        bool isFormer = e.Node == Former;
        bool otherData = data.TryGetValue(e.Node, out Incarnation known) && known != Incarnation.None && e.Incarnation != known && e.Incarnation != Incarnation.None;
        if (e.Incarnation != Incarnation.None) data[e.Node] = e.Incarnation;
        bool newNote = e.Note.Length > 0 && e.Note != (isFormer ? formerNote : followers.GetValueOrDefault(e.Node)?.Note);
        bool streams = promotion is { } now && e.Replication == "streaming" && e.Timeline >= now.Timeline && e.Node != elected?.Winner;
        if (isFormer)
        {
            (formerHeard, formerMs, formerNote) = (true, record.UnixMs, e.Note);
            if (otherData) formerOrigin = e.Origin;
        }
        if (followers.TryGetValue(e.Node, out FollowerReturn? follower))
        {
            bool first = streams && follower.StreamingUnixMs is null;
            followers[e.Node] = follower with { StreamingUnixMs = follower.StreamingUnixMs ?? (streams ? record.UnixMs : null), Note = e.Note };
            if (first) steps.Add(new(record.UnixMs, record.Id, record.Rule, $"{e.Node} streams from {promotion!.Node} on timeline {e.Timeline}{How(otherData ? e.Origin : isFormer ? formerOrigin : DataOrigin.Unknown)}"));
            else if (newNote || (isFormer && otherData)) Tell(record);
        }
        else if (newNote && e.Node == elected?.Winner)
        {
            Tell(record);
        }
    }

    private static string How(DataOrigin origin) => origin switch
    {
        DataOrigin.Rewound => " after pg_rewind",
        DataOrigin.Cloned => " after it was cloned",
        _ => "",
    };

    private void Tell(EventRecord record) => steps.Add(new(record.UnixMs, record.Id, record.Rule, EventSentences.Of(record.Event)));

    public LeadershipStory Build(int ago)
    {
        NodeName? to = elected?.Winner;
        return new()
        {
            Ago = ago,
            Cause = opening?.Reason,
            Headline = Headline(to),
            Vacancy = opening?.Vacancy ?? (elected is { Vacancy.Index: > 0 } known ? known.Vacancy : null),
            Epoch = elected?.Epoch,
            From = Former,
            To = to,
            Timeline = promotion?.Timeline ?? default,
            NoticedBy = opening?.NoticedBy,
            Complete = opening is not null || elected is { Vacancy.Index: 0 },
            Candidates = elected?.Candidates ?? fruitless?.Refusals ?? [],
            Unanswered = elected?.Unanswered ?? fruitless?.Unanswered ?? [],
            ClosedBy = electedRecord is { } record && elected!.Vacancy.Index > 0 ? (record.Index == lastAnswerIndex ? ElectionEnd.Answered : ElectionEnd.Waited) : null,
            Decision = elected is null ? null : WinningRule.Of(elected.Winner, elected.Candidates),
            Phases = Phases(),
            Loss = StoryLoss.Of(primaryLost, elected, primaryLost?.Event == opening ? Fence : null),
            Fenced = Fence,
            Former = Former is { } former ? Fate(former) : null,
            Followers = [.. followers.Values.Where(follower => follower.Node != Former)],
            Steps = AllSteps(),
        };
    }

    /// <summary>The steps, with the fence where it happened and not where it was told.</summary>
    private ImmutableArray<StoryStep> AllSteps()
    {
        if (Fence is not { } fence) return [.. steps];
        int at = steps.FindIndex(step => step.UnixMs > fence.AtUnixMs);
        var told = new StoryStep(fence.AtUnixMs, fenceRecord!.Id, fenceRecord.Rule, EventSentences.Of(fenceRecord.Event));
        return [.. at < 0 ? steps.Append(told) : steps.Take(at).Append(told).Concat(steps.Skip(at))];
    }

    private string Headline(NodeName? to)
    {
        string who = to is { } winner ? winner.ToString() : "nobody";
        string text = (opening?.Reason, Former) switch
        {
            (null, _) when elected is { Vacancy.Index: 0 } => $"{who} became the first leader of the new cluster",
            (null, _) => $"{who} was elected; why leadership had fallen vacant is no longer kept",
            (VacancyReason.Adopted, _) => $"{(to is null ? "nobody leads" : $"{who} leads")} the cluster that was adopted",
            (VacancyReason.LeaseExpired, { } from) when from == to => $"the lease of {from} expired, and it won the election itself",
            (VacancyReason.LeaseExpired, var from) => $"the lease of {from} expired, and {who} took over",
            (VacancyReason.Switchover, var from) => $"switchover from {from} to {who}",
            (VacancyReason.Failover, var from) => $"an operator's failover from {from} to {who}",
            (VacancyReason.Shutdown, var from) => $"{from} was shut down, and {who} took over",
            (VacancyReason.PromotionFailed, var from) => $"{from} could not be promoted, and {who} took over",
            (_, var from) => $"the PostgreSQL of {from} could not run, and {who} took over",
        };
        if (to is not null && promotion is null) text += "; it has not become primary";
        return text;
    }

    private StoryPhases Phases()
    {
        long? vacancy = opening is null ? null : openedMs;
        long? election = electedRecord?.UnixMs;
        long? asked = request is { Event: FailoverRequested { Request: var wish } } ? Math.Max(request.UnixMs, wish.ScheduledAtUnixMs ?? 0) : null;
        long? renewed = opening is { Reason: VacancyReason.LeaseExpired, LastRenewalUnixMs: > 0 } expired ? expired.LastRenewalUnixMs : null;
        long? lost = primaryLost?.Event is VacancyOpened { Reason: VacancyReason.LeaseExpired, LastRenewalUnixMs: > 0 } by ? by.LastRenewalUnixMs : primaryLost?.UnixMs;
        bool allBack = promotion is not null && followers.Count > 0 && IsOver;
        return new()
        {
            RequestToVacancyMs = vacancy - asked,
            LastRenewalToVacancyMs = vacancy - renewed,
            VacancyToFirstStandMs = firstStandMs - vacancy,
            FirstStandToElectedMs = election - firstStandMs,
            ElectedToPromotedMs = promotedMs - election,
            PromotedToCheckpointedMs = checkpointedMs - promotedMs,
            PromotedToAllStreamingMs = allBack ? followers.Values.Max(static follower => follower.StreamingUnixMs) - promotedMs : null,
            WithoutPrimaryMs = promotedMs - lost,
        };
    }

    private FormerLeader Fate(NodeName former)
    {
        if (former == elected?.Winner) return new(former, FormerFate.LeadsAgain, electedRecord!.UnixMs, "it won the election and leads again");
        if (formerRemoved) return new(former, FormerFate.Removed, formerMs, "an operator removed it");
        if (followers.GetValueOrDefault(former)?.StreamingUnixMs is { } back)
        {
            return formerOrigin switch
            {
                DataOrigin.Rewound => new(former, FormerFate.Rewound, back, "it was rewound and streams from the new primary"),
                DataOrigin.Cloned => new(former, FormerFate.Cloned, back, "it was cloned anew and streams from the new primary"),
                _ => new(former, FormerFate.Rejoined, back, "it streams from the new primary with the data that it had"),
            };
        }
        return formerHeard
            ? new(former, FormerFate.Waits, formerMs, formerNote.Length > 0 ? $"it waits: {formerNote}" : "it reports and does not stream yet")
            : new(former, FormerFate.Unheard, null, formerMs is null ? "nothing was heard of it since" : "it stopped reporting");
    }
}
