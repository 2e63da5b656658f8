using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Folds the event log into one story for each change of leadership. Pure: the same events give the same stories on every node and in
/// every client. What the log no longer keeps is missing from the oldest story, which says so.
/// </summary>
public static class LeadershipStories
{
    /// <summary>All changes of leadership that the events tell, newest first.</summary>
    /// <param name="events">The event log, oldest first, without gaps.</param>
    public static ImmutableArray<LeadershipStory> Tell(ImmutableArray<EventRecord> events)
    {
        var chapters = new List<StoryBuilder>();
        var before = new StoryContext();
        // A fence is told when an agent comes back, maybe changes of leadership later; it belongs to the one that it led to.
        var fences = new Dictionary<Epoch, EventRecord>();
        foreach (EventRecord record in events)
            if (record.Event is GuardFenced { Fence.Epoch: var epoch }) fences.TryAdd(epoch, record);
        foreach (EventRecord record in events)
        {
            // An election belongs to the vacancy before it; that of a new cluster, or one whose vacancy is no longer kept, begins a story.
            bool begins = record.Event is VacancyOpened || (record.Event is LeaderElected won && (won.Vacancy.Index == 0 || chapters.Count == 0));
            if (record.Event is GuardFenced) continue;
            if (begins) chapters.Add(new StoryBuilder(before, record, record.Event is VacancyOpened opened ? fences.GetValueOrDefault(opened.FormerEpoch) : null));
            before.Observe(record);
            if (!begins && chapters.Count > 0) chapters[^1].Add(record);
        }
        chapters.Reverse();
        return [.. chapters.Select(static (chapter, i) => chapter.Build(i + 1))];
    }
}

/// <summary>What is known of the cluster when a story begins.</summary>
internal sealed class StoryContext
{
    private readonly Dictionary<NodeName, EventRecord> silent = [];
    private readonly Dictionary<NodeName, Incarnation> data = [];
    private readonly SortedSet<NodeName> members = [];

    /// <summary>Nodes with PostgreSQL that the events named, without those that were removed.</summary>
    public IEnumerable<NodeName> Members => members;

    /// <summary>The pending request of an operator.</summary>
    public EventRecord? Request { get; private set; }

    /// <summary>The vacancy that the last primary left; null while there is a primary. Winners that never were one do not change it.</summary>
    public EventRecord? PrimaryLost { get; private set; }

    /// <summary>When a node stopped reporting, unless it reported since.</summary>
    public EventRecord? SilenceOf(NodeName node) => silent.GetValueOrDefault(node);

    /// <summary>The life of a node's data that it last reported.</summary>
    public Incarnation DataOf(NodeName node) => data.GetValueOrDefault(node);

    public void Observe(EventRecord record)
    {
        switch (record.Event)
        {
            case MemberWentSilent e:
                silent[e.Node] = record;
                break;
            case MemberJoined e:
                silent.Remove(e.Node);
                members.Add(e.Node);
                break;
            case MemberChanged e:
                members.Add(e.Node);
                // A node without data, as between emptying and cloning, does not make what it had before unknown.
                if (e.Incarnation != Incarnation.None) data[e.Node] = e.Incarnation;
                break;
            case PeerRegistered { Peer: { Kind: PeerKind.Data } peer }:
                members.Add(peer.Name);
                break;
            case PeerRemoved e:
                members.Remove(e.Node);
                break;
            case LeaderElected e:
                members.UnionWith(e.Unanswered);
                members.UnionWith(e.Candidates.Select(static verdict => verdict.Node));
                break;
            case FailoverRequested:
                Request = record;
                break;
            case FailoverCleared:
                Request = null;
                break;
            case VacancyOpened:
                PrimaryLost ??= record;
                break;
            case LeaderPromoted:
                PrimaryLost = null;
                break;
        }
    }
}
