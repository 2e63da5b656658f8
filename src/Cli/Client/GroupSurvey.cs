using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>Every voter of the Raft group asked at once: who answers, who knows a leader, and who has applied most.</summary>
/// <param name="Voters">The group, by name.</param>
/// <param name="Best">API of the node that has applied most; <c>null</c> when none answers.</param>
public sealed record GroupSurvey(ImmutableArray<SurveyedVoter> Voters, Uri? Best)
{
    /// <summary>Asks all voters that a node knows.</summary>
    /// <exception cref="CliException">No node can be reached.</exception>
    public static async Task<GroupSurvey> TakeAsync(ApiClient api, CancellationToken stop)
    {
        var answer = await api.GetAsync("/raft/members", stop).ConfigureAwait(false);
        // The list itself is for holders of the cluster's secret; who they are stands in the state, too.
        if (answer.Status is 401 or 403) answer = await api.GetAsync("/state", stop).ConfigureAwait(false);
        if (answer.Json is not SettingMap document || !answer.IsSuccess)
        {
            throw new CliException($"the node answered the question for its group with {answer.Status}: {answer.Body.Trim()}");
        }

        var voters = await Task.WhenAll(MembersIn(document).Select(member => AskAsync(api, member, stop))).ConfigureAwait(false);
        api.Learn(voters.Select(voter => voter.Api).OfType<Uri>());
        var best = voters.Where(voter => voter.Status is not null).MaxBy(voter => voter.AppliedIndex);
        return new([.. voters.OrderBy(voter => voter.Name, StringComparer.Ordinal)], best?.Api);
    }

    /// <summary>The voters in the terms of <see cref="Situations"/>.</summary>
    public ImmutableArray<VoterHealth> Health => [.. Voters.Select(voter => new VoterHealth(voter.Name, voter.Status is not null, voter.SeesLeader))];

    /// <summary>The members that <c>GET /raft/members</c> or <c>GET /state</c> tells of; their status is not known yet.</summary>
    internal static IEnumerable<SurveyedVoter> MembersIn(SettingMap document) => document["peers"] is SettingMap peers
        ? peers.Entries.Select(entry => entry.Value is SettingMap peer ? Member(peer, entry.Key, "raft_address", SettingReader.Text(peer["kind"]) != "witness") : null).OfType<SurveyedVoter>()
        : (document["members"] as SettingList)?.Items.OfType<SettingMap>().Select(member =>
            Member(member, SettingReader.Text(member["name"]) ?? "", "address", SettingReader.Boolean(member["data"]) != false)) ?? [];

    private static SurveyedVoter Member(SettingMap of, string name, string addressKey, bool hasData)
    {
        var address = SettingReader.Text(of[addressKey]) ?? "";
        var api = Uri.TryCreate(SettingReader.Text(of["api_url"]), UriKind.Absolute, out var url) ? new Uri(url.GetLeftPart(UriPartial.Authority)) : null;
        return new(name.Length > 0 ? name : address, address, api, hasData, null);
    }

    private static async Task<SurveyedVoter> AskAsync(ApiClient api, SurveyedVoter member, CancellationToken stop)
    {
        var answer = member.Api is null ? null : await api.TryGetAsync(member.Api, "/patroni", stop).ConfigureAwait(false);
        return member with { Status = (answer?.Json as SettingMap)?["raft"] as SettingMap };
    }
}

/// <summary>A voter and what it says of itself.</summary>
/// <param name="Name">Its name, or its Raft address when it has none.</param>
/// <param name="Address">Its Raft address.</param>
/// <param name="Api">Its API; <c>null</c> when it has not registered one.</param>
/// <param name="HasData">Whether it has a PostgreSQL.</param>
/// <param name="Status">The key <c>raft</c> of its status; <c>null</c> when it does not answer.</param>
public sealed record SurveyedVoter(string Name, string Address, Uri? Api, bool HasData, SettingMap? Status)
{
    /// <summary>Whether it knows a leader of the group.</summary>
    public bool SeesLeader => SettingReader.Text(Status?["leader"]) is { Length: > 0 };

    /// <summary>leader, follower, candidate or stopped; empty when it does not answer.</summary>
    public string Role => SettingReader.Text(Status?["role"]) ?? "";

    /// <summary>Highest log index that it applied; 0 when it does not answer.</summary>
    public long AppliedIndex => SettingReader.Integer(Status?["applied_index"]) ?? 0;

    /// <summary>A figure of its status.</summary>
    public long? Figure(string key) => SettingReader.Integer(Status?[key]);
}
