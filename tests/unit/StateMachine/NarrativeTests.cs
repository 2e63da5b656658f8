using System.Collections.Immutable;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>The stories' edges; how they read is in <c>scenarios/story-*.txt</c>.</summary>
public sealed class NarrativeTests
{
    private static readonly Type[] Listed = [.. typeof(ClusterEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(static attribute => attribute.DerivedType)];

    public static TheoryData<Type> Kinds => [.. Listed];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_event_has_a_sentence_of_one_line(Type kind)
    {
        string sentence = EventSentences.Of((ClusterEvent)Sample(kind)!);
        Assert.DoesNotContain('\n', sentence);
        Assert.DoesNotContain('{', sentence);
        Assert.False(sentence.EndsWith('.'), sentence);
    }

    [Fact]
    public void Every_event_is_listed_for_JSON_and_hence_walked_here() => Assert.Equal(
        typeof(ClusterEvent).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(ClusterEvent))).OrderBy(static type => type.Name),
        Listed.OrderBy(static type => type.Name));

    [Fact]
    public void Without_events_there_is_no_story() => Assert.Empty(LeadershipStories.Tell([]));

    [Fact]
    public void A_story_whose_beginning_is_no_longer_kept_says_so_wherever_the_log_was_cut()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        cluster.Promote(2, 1, 1000);
        ImmutableArray<EventRecord> all = cluster.State.Events;
        LeadershipStory whole = LeadershipStories.Tell(all)[0];
        Assert.True(whole.Complete);
        int opening = all.ToList().FindIndex(static record => record.Event is VacancyOpened);
        int election = all.ToList().FindIndex(static record => record.Event is LeaderElected { Vacancy.Index: > 0 });
        for (int cut = 0; cut < all.Length; cut++)
        {
            ImmutableArray<LeadershipStory> stories = LeadershipStories.Tell(all[cut..]);
            if (cut <= opening) Assert.Equal(whole.Headline, stories[0].Headline);
            else if (cut <= election) Assert.Equal((false, (NodeName?)new NodeName("b")), (stories[0].Complete, stories[0].To));
            else Assert.Empty(stories);
        }
    }

    [Fact]
    public void An_explanation_is_written_as_JSON_and_read_back()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        var explanation = new Explanation(Situations.Of(cluster.State, cluster.State.Events, [], cluster.NowMs), LeadershipStories.Tell(cluster.State.Events));
        string json = JsonSerializer.Serialize(explanation, StoryJson.Default.Explanation);
        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize(json, StoryJson.Default.Explanation)!, StoryJson.Default.Explanation));
        Assert.Contains("\"cause\": \"LeaseExpired\"", json);
    }

    /// <summary>An event with something in every field.</summary>
    private static object? Sample(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner) return Sample(inner);
        if (type == typeof(string)) return "text";
        if (type == typeof(bool)) return true;
        if (type == typeof(NodeName)) return new NodeName("node1");
        if (type.IsPrimitive) return Convert.ChangeType(7, type);
        if (type.IsEnum) return Enum.GetValues(type).GetValue(0);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>))
        {
            Type item = type.GetGenericArguments()[0];
            var items = Array.CreateInstance(item, 1);
            items.SetValue(Sample(item), 0);
            return typeof(ImmutableArray).GetMethods().Single(static m => m.Name == "Create" && m.GetParameters() is [{ ParameterType.IsArray: true }]).MakeGenericMethod(item).Invoke(null, [items]);
        }
        ConstructorInfo constructor = type.GetConstructors().OrderByDescending(static c => c.GetParameters().Length).First();
        return constructor.Invoke([.. constructor.GetParameters().Select(static parameter => Sample(parameter.ParameterType))]);
    }
}
