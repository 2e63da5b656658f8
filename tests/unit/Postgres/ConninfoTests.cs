using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres;

public sealed class ConninfoTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("", "''")]
    [InlineData("two words", "'two words'")]
    [InlineData("it's", @"'it\'s'")]
    [InlineData(@"back\slash", @"'back\\slash'")]
    [InlineData("tab\tstop", "'tab\tstop'")]
    public void Values_are_quoted_as_libpq_reads_them(string value, string expected) => Assert.Equal(expected, Conninfo.Quote(value));

    [Theory]
    [InlineData("a")]
    [InlineData("")]
    [InlineData(@"' \ '' = x")]
    [InlineData("/run/my dir")]
    [InlineData("passwörd=1 host=evil")]
    public void What_is_formatted_is_parsed_back(string value)
    {
        IReadOnlyDictionary<string, string>? parsed = Conninfo.Parse(Conninfo.Format([new("host", value), new("user", "u")]));
        Assert.Equal(value, parsed!["host"]);
        Assert.Equal("u", parsed["user"]);
        Assert.Equal(2, parsed.Count);
    }

    [Theory]
    [InlineData("host")]
    [InlineData("host='x")]
    [InlineData("=x")]
    public void Malformed_strings_are_refused(string text) => Assert.Null(Conninfo.Parse(text));

    [Fact]
    public void The_password_never_appears_and_options_follow_the_version()
    {
        Credentials user = new()
        {
            Username = "u", Password = "secret",
            Options = ServerParameters.Of([new("sslmode", "verify-full"), new("channel_binding", "require"), new("sslnegotiation", "direct")]),
        };
        string text = Conninfo.Format(Conninfo.Pairs(new("h", 1), user, "db", "/p f", 12));
        Assert.Equal("dbname=db user=u passfile='/p f' host=h port=1 sslmode=verify-full", text);
        Assert.Contains("channel_binding=require", Conninfo.Format(Conninfo.Pairs(new("h", 1), user, "db", "/p", 15)));
        Assert.DoesNotContain("sslnegotiation", Conninfo.Format(Conninfo.Pairs(new("h", 1), user, "db", "/p", 16)));
    }

    [Fact]
    public void Password_files_escape_colons_and_backslashes_and_skip_users_without_password()
    {
        string text = PassFile.Format(
        [
            new(new("::1", 5432), new() { Username = "a:b", Password = @"c\d:e" }),
            new(new("host", 5433), new() { Username = "nobody" }),
            new(new("host", 5433), new() { Username = "x", Password = "line\nbreak" }),
        ]);
        Assert.Equal("\\:\\:1:5432:*:a\\:b:c\\\\d\\:e\nhost:5433:*:x:linebreak\n", text);
    }
}
