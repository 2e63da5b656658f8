using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>When bytes of each peer last arrived, in either direction's connection.</summary>
internal sealed class PeerContacts
{
    private readonly ConcurrentDictionary<EndPoint, Contact> contacts = new();

    public Contact Of(EndPoint peer) => contacts.GetOrAdd(peer, _ => new Contact());

    public TimeSpan? SinceHeard(EndPoint peer) => contacts.TryGetValue(peer, out var contact) ? contact.Age : null;

    internal sealed class Contact
    {
        private long lastHeard;

        public TimeSpan? Age => Volatile.Read(ref lastHeard) is var at and not 0 ? Stopwatch.GetElapsedTime(at) : null;

        public void Touch() => Volatile.Write(ref lastHeard, Stopwatch.GetTimestamp());
    }
}
