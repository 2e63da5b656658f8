using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Patroni.Raft.Consensus;

/// <summary>
/// Raft addresses as written in configuration: <c>host:port</c>, <c>10.0.0.1:2222</c>, <c>[::1]:2222</c>. Names are kept as
/// names (and lower case), because the address is the member's identity and must be equal on all nodes.
/// </summary>
public static class RaftAddress
{
    /// <summary>Parses an address.</summary>
    /// <exception cref="FormatException">Not <c>host:port</c>.</exception>
    public static EndPoint Parse(string text)
        => TryParse(text, out var address) ? address : throw new FormatException($"\"{text}\" is not a Raft address; expected host:port.");

    /// <summary>Parses an address.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out EndPoint? address)
    {
        address = null;
        var colon = text?.LastIndexOf(':') ?? -1;
        if (text is null || colon <= 0
            || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
        {
            return false;
        }

        var host = text[..colon].Trim();
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
        }
        else if (host.Contains(':'))
        {
            return false;
        }

        if (IPAddress.TryParse(host, out var ip))
        {
            address = new IPEndPoint(ip, port);
            return true;
        }

        if (Uri.CheckHostName(host) != UriHostNameType.Dns)
        {
            return false;
        }

        address = new DnsEndPoint(host.ToLowerInvariant(), port);
        return true;
    }

    /// <summary>Formats an address so that <see cref="Parse"/> gives it back.</summary>
    public static string Format(EndPoint address) => address switch
    {
        IPEndPoint { AddressFamily: AddressFamily.InterNetworkV6 } ip => $"[{ip.Address}]:{ip.Port}",
        IPEndPoint ip => $"{ip.Address}:{ip.Port}",
        DnsEndPoint dns => $"{dns.Host}:{dns.Port}",
        _ => throw new ArgumentException($"Address family {address.AddressFamily} is not supported.", nameof(address)),
    };

    /// <summary>Whether only this machine can reach the address.</summary>
    public static bool IsLoopback(EndPoint address)
        => address is IPEndPoint ip ? IPAddress.IsLoopback(ip.Address) : address is DnsEndPoint { Host: "localhost" };
}
