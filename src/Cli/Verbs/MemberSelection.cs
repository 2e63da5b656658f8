using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Parsing;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>Which members an operation is for, asked and refused in patronictl's way.</summary>
internal static class MemberSelection
{
    public static Option<string?> RoleOption(string description) =>
        new Option<string?>("--role", "-r") { Description = description }.OneOf("leader", "primary", "standby-leader", "replica", "standby", "any");

    /// <summary>Members with a role; leader kinds name at most one.</summary>
    public static IReadOnlyList<string> WithRole(ClusterView view, string role)
    {
        var leader = view.Leader;
        var isStandbyLeader = leader is not null && ClusterView.Role(leader) == "standby_leader";
        return role switch
        {
            "leader" or "primary" or "standby-leader" => leader is null || (role == "primary" && isStandbyLeader) || (role == "standby-leader" && !isStandbyLeader)
                ? [] : [ClusterView.Name(leader)],
            "any" => [.. view.Members.Select(ClusterView.Name)],
            _ => [.. view.Members.Where(m => m != leader).Select(ClusterView.Name)],
        };
    }

    /// <summary>Prints the members, then settles which are meant.</summary>
    /// <exception cref="CliException">Nobody matches, or the user does not want it.</exception>
    public static IReadOnlyList<string> Choose(ClusterView view, IReadOnlyList<string> names, string role, bool force, string action, Terminal terminal)
    {
        var candidates = WithRole(view, role);
        if (names.Count == 0 && candidates.Count == 0)
        {
            throw new CliException($"{view.Scope} cluster doesn't have any members");
        }

        ClusterVerb.PrintMembers(view, terminal);
        var chosen = names;
        if (names.Count > 0)
        {
            chosen = [.. names.Where(candidates.Contains).Distinct()];
            if (chosen.Count == 0)
            {
                throw new CliException($"No {role} among provided members");
            }
        }
        else if (action != "reinitialize")
        {
            chosen = candidates;
        }

        if (chosen.Count == 0 && !force)
        {
            chosen = [terminal.Prompt($"Which member do you want to {action} [{string.Join(", ", candidates)}]?", "")];
        }

        if (chosen.FirstOrDefault(c => !candidates.Contains(c)) is { } stranger)
        {
            throw new CliException($"{stranger} is not a member of cluster");
        }

        return [.. view.Members.Select(ClusterView.Name).Where(chosen.Contains)];
    }

    public static void Confirm(IReadOnlyList<string> members, bool force, string action, Terminal terminal)
    {
        if (!force && !terminal.Confirm($"Are you sure you want to {action} members {string.Join(", ", members)}?"))
        {
            throw new CliException($"Aborted {action}");
        }
    }

    /// <summary>A member that was chosen from this view.</summary>
    public static SettingMap Find(ClusterView view, string name) => view.Members.First(m => ClusterView.Name(m) == name);

    /// <summary>Does something on one member after the other. One that cannot be asked is reported and does not keep the others from it.</summary>
    public static async Task ForEachAsync(IReadOnlyList<string> members, Func<string, Task> action, string name, Terminal terminal)
    {
        var failed = 0;
        foreach (var member in members)
        {
            try
            {
                await action(member).ConfigureAwait(false);
            }
            catch (CliException e) when (e is not CliAbortedException)
            {
                terminal.Output.WriteLine($"Failed: {name} for member {member}, {e.Message}");
                failed++;
            }
        }

        if (failed > 0)
        {
            throw new CliException($"{failed} of {members.Count} members did not answer");
        }
    }

    /// <summary>The API of a member by name.</summary>
    /// <exception cref="CliException">It has none.</exception>
    public static Uri Api(ClusterView view, string name) =>
        ClusterView.Api(Find(view, name)) ?? throw new CliException($"{name} has no REST API address");

    /// <summary>Prints how an operation on one member ended; true when it was accepted.</summary>
    public static bool Report(ApiAnswer answer, string member, string action, Terminal terminal, bool silentSuccess = false)
    {
        if (answer.Status >= 400)
        {
            terminal.Output.WriteLine($"Failed: {action} for member {member}, status code={answer.Status}, ({answer.Body})");
            return false;
        }

        if (!silentSuccess)
        {
            terminal.Output.WriteLine($"Success: {action} for member {member}");
        }

        return true;
    }
}
