using System.Collections.Immutable;
using System.Net;

namespace Patroni.Raft.Consensus.Node;

/// <summary>Checks options against each other before anything is touched.</summary>
internal static class RaftOptionsValidator
{
    private static readonly TimeSpan LowestElectionTimeout = TimeSpan.FromMilliseconds(50);

    /// <exception cref="RaftStartException">One sentence that names the setting.</exception>
    public static RaftOptions Validate(RaftOptions options)
    {
        if (options.Security is RaftSecurity.Open && !RaftAddress.IsLoopback(options.BindEndPoint))
        {
            throw Refuse(
                $"raft.bind_addr {options.BindEndPoint} is reachable from other machines, but the Raft port would be unprotected: set raft.password"
                + " (`patroni-raft raft password` prints a good one) or raft.tls, or listen on 127.0.0.1.");
        }

        if (options.Security is RaftSecurity.SharedPassword { Secret.Length: < 12 })
        {
            throw Refuse("raft.password is shorter than 12 characters: `patroni-raft raft password` prints a good one.");
        }

        if (options.ElectionTimeoutLower < LowestElectionTimeout || options.ElectionTimeoutUpper <= options.ElectionTimeoutLower)
        {
            throw Refuse(
                $"raft.election_timeout: the lower bound {options.ElectionTimeoutLower.TotalMilliseconds} ms must be at least"
                + $" {LowestElectionTimeout.TotalMilliseconds} ms and below the upper bound {options.ElectionTimeoutUpper.TotalMilliseconds} ms.");
        }

        ImmutableArray<EndPoint> initial = options.InitialMembers.IsDefaultOrEmpty ? [options.SelfEndPoint] : [.. options.InitialMembers.Distinct()];
        return options with { InitialMembers = initial };
    }

    /// <summary>Before a first formation only: later the log knows the members.</summary>
    /// <exception cref="RaftStartException">This node would form a group without itself.</exception>
    public static void RequireSelfAmongInitial(RaftOptions options)
    {
        if (!options.InitialMembers.Contains(options.SelfEndPoint))
        {
            throw Refuse(
                $"raft.self_addr {RaftAddress.Format(options.SelfEndPoint)} is not among the initial members: a further node of an existing group needs raft.join.");
        }
    }

    private static RaftStartException Refuse(string message) => new(RaftStartFailure.Configuration, message);
}
