using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Text as PyYAML's safe_dump(width=200) quotes it.</summary>
public sealed class YamlTextTests
{
    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("", "''")]
    [InlineData("on", "'on'")]
    [InlineData("No", "'No'")]
    [InlineData("null", "'null'")]
    [InlineData("10", "'10'")]
    [InlineData("1.5", "'1.5'")]
    [InlineData("0x1F", "'0x1F'")]
    [InlineData("1:30", "'1:30'")]
    [InlineData("32MB", "32MB")]
    [InlineData("2039-09-24T12:00:00+00:00", "'2039-09-24T12:00:00+00:00'")]
    [InlineData("a: b", "'a: b'")]
    [InlineData("a:b", "a:b")]
    [InlineData("a:", "'a:'")]
    [InlineData("a #b", "'a #b'")]
    [InlineData("a#b", "a#b")]
    [InlineData("- a", "'- a'")]
    [InlineData("-a", "-a")]
    [InlineData("it's", "it's")]
    [InlineData("'quoted'", "'''quoted'''")]
    [InlineData("%p", "'%p'")]
    [InlineData("cp /a/%f %p", "cp /a/%f %p")]
    [InlineData("*", "'*'")]
    [InlineData(" a", "' a'")]
    [InlineData("a ", "'a '")]
    [InlineData("tab\there", "\"tab\\there\"")]
    [InlineData("a, b", "a, b")]
    [InlineData("ä", "ä")]
    public void Scalars(string value, string expected) =>
        Assert.Equal($"k: {expected}\n", YamlText.Block(SettingMap.Empty.With("k", new SettingScalar(value, SettingScalarKind.Text))));

    [Fact]
    public void Structures()
    {
        var problems = new List<ConfigurationProblem>();
        var map = SettingJson.ParseObject("""{"z": [{"b": 1, "a": [1, "x"]}, [2, 3], "t"], "e": {}, "l": [], "n": null, "t": true}""", problems)!;
        Assert.Equal("e: {}\nl: []\nn: null\nt: true\nz:\n- a:\n  - 1\n  - x\n  b: 1\n- - 2\n  - 3\n- t\n", YamlText.Block(map));
        Assert.Equal("{e: {}, l: [], n: null, t: true, z: [{a: [1, x], b: 1}, [2, 3], t]}", YamlText.Flow(map));
    }
}
