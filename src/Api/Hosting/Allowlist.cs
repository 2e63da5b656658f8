using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Hosting;

/// <summary>
/// <c>restapi.allowlist</c> and <c>allowlist_include_members</c>. Names are resolved when they are needed and remembered for a
/// minute; a name that does not resolve allows nobody.
/// </summary>
internal sealed class Allowlist
{
    private static readonly TimeSpan ResolveTimeout = TimeSpan.FromSeconds(2);
    private const long RememberMs = 60_000;

    private readonly ImmutableArray<IPNetwork> networks;
    private readonly ImmutableArray<string> names;
    private readonly bool includeMembers;
    private readonly ConcurrentDictionary<string, (IPAddress[] Addresses, long AtMs)> resolved = new(StringComparer.OrdinalIgnoreCase);

    /// <exception cref="ApiStartException">A network cannot be read.</exception>
    public Allowlist(ImmutableArray<string> entries, bool includeMembers)
    {
        this.includeMembers = includeMembers;
        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        var names = ImmutableArray.CreateBuilder<string>();
        foreach (string entry in entries)
        {
            string text = entry.Trim();
            if (text.Contains('/')) networks.Add(ParseNetwork(text));
            else if (IPAddress.TryParse(text, out IPAddress? address)) networks.Add(Single(Plain(address)));
            else names.Add(text);
        }
        this.networks = networks.ToImmutable();
        this.names = names.ToImmutable();
    }

    /// <summary>Whether a client may send unsafe requests.</summary>
    public async ValueTask<bool> AllowsAsync(IPAddress? client, ClusterState state)
    {
        if (networks.IsEmpty && names.IsEmpty && !includeMembers) return true;
        if (client is null) return false;
        client = Plain(client);
        foreach (IPNetwork network in networks)
            if (network.Contains(client)) return true;
        foreach (string name in names)
            if (await IsAsync(name, client)) return true;
        if (!includeMembers) return false;
        foreach (Member member in state.Members.Values)
        {
            if (Uri.TryCreate(member.Report.ApiUrl, UriKind.Absolute, out Uri? url) && await IsAsync(url.IdnHost, client)) return true;
        }
        return false;
    }

    private async ValueTask<bool> IsAsync(string host, IPAddress client)
    {
        if (IPAddress.TryParse(host, out IPAddress? address)) return Plain(address).Equals(client);
        long nowMs = Environment.TickCount64;
        if (!resolved.TryGetValue(host, out (IPAddress[] Addresses, long AtMs) known) || nowMs - known.AtMs > RememberMs)
        {
            known = (await ResolveAsync(host), nowMs);
            resolved[host] = known;
        }
        foreach (IPAddress candidate in known.Addresses)
            if (candidate.Equals(client)) return true;
        return false;
    }

    private static async Task<IPAddress[]> ResolveAsync(string host)
    {
        using var limit = new CancellationTokenSource(ResolveTimeout);
        try
        {
            IPAddress[] addresses = await Dns.GetHostAddressesAsync(host, limit.Token);
            return Array.ConvertAll(addresses, Plain);
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ArgumentException)
        {
            return [];
        }
    }

    private static IPNetwork ParseNetwork(string text)
    {
        int slash = text.IndexOf('/');
        if (IPAddress.TryParse(text.AsSpan(0, slash), out IPAddress? address) && int.TryParse(text.AsSpan(slash + 1), out int prefix))
        {
            address = Plain(address);
            int bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
            if (prefix >= 0 && prefix <= bits) return new(Masked(address, prefix), prefix);
        }
        throw new ApiStartException(ApiStartFailure.Configuration, $"restapi.allowlist: '{text}' is not a network such as 10.0.0.0/8.");
    }

    /// <summary>10.1.2.3/8 means 10.0.0.0/8, as in Patroni.</summary>
    private static IPAddress Masked(IPAddress address, int prefix)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int kept = Math.Clamp(prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xff << (8 - kept));
        }
        return new(bytes);
    }

    private static IPNetwork Single(IPAddress address) => new(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
