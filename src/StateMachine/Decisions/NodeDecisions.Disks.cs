namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    /// <summary>
    /// Leadership of a node whose disk is in trouble goes to a node that is fit; where nobody is, keeping it is the lesser evil. A disk that
    /// hangs cannot finish a clean stop: everything is killed instead. When even that does not end, the lease is not renewed any more
    /// (<see cref="LetsLeaseExpire"/>): what hangs in the kernel with a deadly signal pending never returns to its program.
    /// </summary>
    private static Decision? DiskTrouble(NodeView view)
    {
        if (!view.Disks.IsTroubled) return null;
        string reason = view.Disks.Reason;
        if (view.State.Lease is { } lease && lease.Holder == view.Self && GivesWay(view))
        {
            if (view.Server is ServerStopped) return Release(view, lease, VacancyReason.DiskTrouble, reason);
            return view.Disks.Hangs
                ? Decision.Do("disk.fence", $"{reason}; PostgreSQL is killed, because a clean stop would hang too", new Fence())
                : Decision.Do("disk.stop", $"{reason}; PostgreSQL stops, so that a healthy node takes over", new RunAction(new StopAction(true)));
        }
        // A Raft leader that cannot write keeps its followers waiting; without the process they elect another.
        if (view.Disks.Raft.State == DiskState.Hung && !(view.MayBeWritable && view.Server is not ServerStopped))
            return Decision.Do("disk.end", $"{reason}; the agent ends, so that it does not hold up the Raft group", new EndAgent(true));
        return null;
    }

    /// <summary>Whether the holder of the lease should not hold it any longer: its disk hangs and another node is fit. It fences meanwhile; should that never end, time ends it.</summary>
    public static bool LetsLeaseExpire(NodeView view) => view.Disks.Hangs && view.State.Leader == view.Self && view.Server is not ServerStopped && GivesWay(view);

    private static bool GivesWay(NodeView view)
    {
        if (view.State.Settings.Pause || view.State.Leadership is not (Elected or Led)) return false;
        TimelineId timeline = view.State.LatestPromotion?.Timeline ?? default;
        foreach (Member member in view.State.Members.Values)
        {
            // Whether it still streams is not asked: a hung disk sends nothing any more.
            if (member.Name != view.Self && SwitchoverRules.WhyUnfit(view.State, member, timeline, primaryRuns: false) is null) return true;
        }
        return false;
    }
}
