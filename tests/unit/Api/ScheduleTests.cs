using Patroni.Raft.Api.Failover;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

public sealed class ScheduleTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 9, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("2039-09-24T12:00+00", "2039-09-24T12:00:00+00:00")]
    [InlineData("2039-09-24T12:00:00Z", "2039-09-24T12:00:00+00:00")]
    [InlineData("2039-09-24 12:00:00 +02:00", "2039-09-24T12:00:00+02:00")]
    [InlineData("2039-09-24T12:00:00.25-0330", "2039-09-24T12:00:00.250000-03:30")]
    [InlineData("20390924T120000Z", "2039-09-24T12:00:00+00:00")]
    [InlineData("2039-09-24 12:00 UTC", "2039-09-24T12:00:00+00:00")]
    [InlineData("2026-11-23T09:00:00+00:00", "2026-11-23T09:00:00+00:00")]
    public void Times_with_an_offset(string text, string expected)
    {
        Schedule schedule = Schedule.Parse(text, "switchover", Now);
        Assert.Equal((0, expected), (schedule.Status, schedule.Text));
    }

    [Theory]
    [InlineData("2026-11-23T08:59:59+00:00", 422)]
    [InlineData("2026-11-23T10:00:00+02:00", 422)]
    [InlineData("2039-09-24", 400)]
    [InlineData("2039-09-24T12:00", 400)]
    [InlineData("2039-13-24T12:00Z", 422)]
    [InlineData("2039-09-24T25:00Z", 422)]
    [InlineData("2039-09-24TZ", 422)]
    [InlineData("2039-09-24T12:00+99", 422)]
    [InlineData("2039-09-24T12:00+1", 422)]
    [InlineData("0001-01-01T00:00:00+14:00", 422)]
    [InlineData("9999-12-31T23:59:59-14:00", 422)]
    [InlineData("", 422)]
    [InlineData("T", 422)]
    [InlineData("tomorrow", 422)]
    [InlineData("2039-09-24T12:00:00+00:00:00", 422)]
    public void Times_that_are_refused(string text, int status) => Assert.Equal(status, Schedule.Parse(text, "switchover", Now).Status);
}
