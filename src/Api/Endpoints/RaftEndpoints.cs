using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>The Raft group: requests between nodes (identity, joining) and of operators (members, transfer).</summary>
internal static class RaftEndpoints
{
    /// <summary>Names the API of the Raft leader when this node is not it and the request needs it.</summary>
    internal const string LeaderHeader = "Raft-Leader";

    public static void MapRaft(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access)
    {
        routes.MapNode(access, "GET", "/raft/identity", context => Identity(context, api));
        routes.MapRaftGroup(access, "GET", "/raft/members", context => Reply.Json(context, 200, PythonJsonWriter.ToBytes(api.Node, WriteMembers)));
        routes.MapRaftGroup(access, "POST", "/raft/members", context => Add(context, api));
        routes.MapRaftGroup(access, "DELETE", "/raft/members/{**member}", context => Remove(context, api));
        routes.MapRaftGroup(access, "POST", "/raft/transfer", context => Transfer(context, api));
        routes.MapRaftGroup(access, "POST", "/raft/expire", context => Expire(context, api));
    }

    private static Task Identity(HttpContext context, ApiContext api) => Reply.Json(context, 200, PythonJsonWriter.ToBytes(api.Node.RaftIdentity, static (writer, identity) =>
    {
        writer.BeginObject();
        writer.Key("cluster_id").Text(identity.ClusterId);
        writer.Key("generation").Number(identity.Generation);
        writer.Key("address").Text(identity.Address);
        writer.Key("name").Text(identity.Name);
        writer.Key("scope").Text(identity.Scope);
        writer.EndObject();
    }));

    internal static void WriteMembers(PythonJsonWriter writer, INode node)
    {
        writer.BeginObject();
        writer.Key("cluster_id").Text(node.RaftIdentity.ClusterId);
        writer.Key("members").BeginArray();
        foreach (RaftMemberView member in node.RaftMembers)
        {
            writer.BeginObject();
            writer.Key("name").Text(member.Name);
            writer.Key("address").Text(member.Address);
            writer.Key("role").Text(member.IsLeader ? "leader" : "follower");
            writer.Key("api_url").Text(member.ApiUrl);
            writer.Key("data").Boolean(member.HasData);
            writer.Key("last_seen_ms");
            if (member.LastSeenMs is { } ms) writer.Number(ms);
            else writer.Null();
            writer.EndObject();
        }
        writer.EndArray();
        writer.EndObject();
    }

    private static async Task Add(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        string? refusal = json.Refusal;
        string address = "";
        if (refusal is null) refusal = ReadText(json.Root, "address", out address) ?? UnknownField(json.Root, "address", "name");
        if (refusal is not null) await Reply.Text(context, 400, refusal);
        else await Done(context, api, await api.Node.AddRaftMemberAsync(address, context.RequestAborted));
    }

    private static async Task Remove(HttpContext context, ApiContext api) =>
        await Done(context, api, await api.Node.RemoveRaftMemberAsync(context.Request.RouteValues["member"] as string ?? "", context.RequestAborted));

    private static async Task Transfer(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        string? refusal = json.Refusal;
        string to = "";
        if (refusal is null) refusal = ReadText(json.Root, "to", out to) ?? UnknownField(json.Root, "to", "to");
        if (refusal is not null) await Reply.Text(context, 400, refusal);
        else await Done(context, api, await api.Node.TransferRaftLeadershipAsync(to, context.RequestAborted));
    }

    /// <summary>The lease without end of a leader that cannot be asked is taken from it: the operator says that its PostgreSQL is stopped.</summary>
    private static async Task Expire(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        string? refusal = json.Refusal;
        string leader = "";
        if (refusal is null) refusal = ReadText(json.Root, "leader", out leader) ?? UnknownField(json.Root, "leader", "leader");
        if (refusal is not null)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        ClusterState state = await api.ReadAsync(context.RequestAborted);
        if (state.Lease is not { } lease || lease.Holder.Value != leader)
        {
            await Reply.Text(context, 412, state.Leader is { } holder ? $"the leader is {holder}, not {leader}" : "the cluster has no leader");
            return;
        }
        (Outcome outcome, _) = await api.ProposeAsync(new ExpireLeader(lease.Epoch, lease.LastRenewalIndex, true), context.RequestAborted);
        await Reply.Text(context, outcome.IsAccepted ? 200 : 412, outcome.IsAccepted ? $"the lease of {leader} was taken from it" : outcome.Reason);
    }

    private static Task Done(HttpContext context, ApiContext api, OperationResult result)
    {
        if (result.Succeeded) return Reply.Text(context, 200, result.Message);
        string? leader = api.Node.Snapshot.Raft.Role == "leader" ? null : api.Node.RaftMembers.FirstOrDefault(static member => member.IsLeader)?.ApiUrl;
        if (string.IsNullOrEmpty(leader)) return Reply.Text(context, 503, result.Message);
        context.Response.Headers[LeaderHeader] = leader;
        return Reply.Text(context, 409, result.Message);
    }

    private static string? ReadText(JsonElement body, string name, out string value)
    {
        value = "";
        if (!body.TryGetProperty(name, out JsonElement field)) return $"{name} is missing.";
        if (field.ValueKind != JsonValueKind.String) return $"{name} must be text, not {RequestBody.Describe(field)}.";
        value = field.GetString()!;
        return value.Length == 0 ? $"{name} is empty." : null;
    }

    private static string? UnknownField(JsonElement body, string first, string second)
    {
        foreach (JsonProperty field in body.EnumerateObject())
            if (field.Name != first && field.Name != second) return $"Unknown field '{field.Name}'.";
        return null;
    }
}
