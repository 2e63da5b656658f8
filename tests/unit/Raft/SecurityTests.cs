using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Consensus;
using Patroni.Raft.Consensus.Node;
using Patroni.Raft.Consensus.Security;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

public sealed class SecurityTests
{
    [Fact]
    public async Task Nodes_with_one_password_and_scope_trust_each_other()
        => Assert.True(await ShakesHandsAsync(RaftSecurity.Password("correct horse battery", "demo"), RaftSecurity.Password("correct horse battery", "demo")));

    [Fact]
    public async Task Another_password_is_refused()
        => Assert.False(await ShakesHandsAsync(RaftSecurity.Password("correct horse battery", "demo"), RaftSecurity.Password("correct horse batterz", "demo")));

    [Fact]
    public async Task One_password_in_another_scope_is_refused()
        => Assert.False(await ShakesHandsAsync(RaftSecurity.Password("correct horse battery", "demo"), RaftSecurity.Password("correct horse battery", "other")));

    [Fact]
    public void The_node_token_follows_from_password_and_scope_and_matches_only_itself()
    {
        var token = NodeToken.Of(RaftSecurity.Password("correct horse battery", "demo"))!;
        Assert.Equal(64, token.Value.Length);
        Assert.True(NodeToken.Of(RaftSecurity.Password("correct horse battery", "demo"))!.Matches(token.Value));
        Assert.False(token.Matches(null));
        Assert.False(token.Matches(string.Empty));
        Assert.False(token.Matches(token.Value[1..]));
        Assert.False(NodeToken.Of(RaftSecurity.Password("correct horse battery", "other"))!.Matches(token.Value));
        Assert.Null(NodeToken.Of(RaftSecurity.None));
    }

    [Fact]
    public void Generated_passwords_are_long_and_differ()
    {
        var passwords = Enumerable.Range(0, 100).Select(_ => RaftPassword.Generate()).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(100, passwords.Count);
        Assert.All(passwords, password => Assert.Equal(32, password.Length));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("192.0.2.1")]
    [InlineData("::")]
    public void An_unprotected_port_beyond_loopback_is_refused(string address)
    {
        var options = Options(address);
        Assert.Equal(RaftStartFailure.Configuration, Assert.Throws<RaftStartException>(() => RaftOptionsValidator.Validate(options)).Failure);
        RaftOptionsValidator.Validate(options with { Security = RaftSecurity.Password("correct horse battery", "demo") });
        RaftOptionsValidator.Validate(Options("127.0.0.1"));
    }

    [Fact]
    public void Election_timeouts_out_of_order_and_a_short_password_are_refused()
    {
        var options = Options("127.0.0.1");
        Assert.Throws<RaftStartException>(() => RaftOptionsValidator.Validate(options with { ElectionTimeoutUpper = options.ElectionTimeoutLower }));
        Assert.Throws<RaftStartException>(() => RaftOptionsValidator.Validate(options with { Security = RaftSecurity.Password("short", "demo") }));
        Assert.Throws<RaftStartException>(() => RaftOptionsValidator.RequireSelfAmongInitial(options with { InitialMembers = [RaftAddress.Parse("127.0.0.1:9")] }));
    }

    [Theory]
    [InlineData("127.0.0.1:2222", "127.0.0.1:2222")]
    [InlineData("[::1]:2222", "[::1]:2222")]
    [InlineData("Node-1.example:2222", "node-1.example:2222")]
    public void Addresses_are_read_and_written(string text, string written)
    {
        Assert.Equal(written, RaftAddress.Format(RaftAddress.Parse(text)));
        Assert.Equal(RaftAddress.Parse(text), RaftAddress.Parse(written));
    }

    [Theory]
    [InlineData("")]
    [InlineData("host")]
    [InlineData("host:")]
    [InlineData("host:0")]
    [InlineData("host:99999")]
    [InlineData("::1:2222")]
    [InlineData(":2222")]
    public void What_is_no_address_is_refused(string text) => Assert.False(RaftAddress.TryParse(text, out _));

    private static RaftOptions Options(string address) => new()
    {
        BindEndPoint = new IPEndPoint(IPAddress.Parse(address), 2222),
        SelfEndPoint = RaftAddress.Parse("127.0.0.1:2222"),
        DataDirectory = "/nowhere",
    };

    private static async Task<bool> ShakesHandsAsync(RaftSecurity server, RaftSecurity client)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var caller = new TcpClient();
        var accepting = listener.AcceptTcpClientAsync();
        await caller.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using var accepted = await accepting;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var serverTls = PeerTls.Create(server)!;
        using var clientTls = PeerTls.Create(client)!;
        try
        {
            var serving = ServeAsync();
            await using var stream = await clientTls.AuthenticateClientAsync(caller.GetStream(), "node", timeout.Token);
            await stream.WriteAsync(new byte[] { 42 }, timeout.Token);
            return await serving;
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            return false;
        }

        async Task<bool> ServeAsync()
        {
            await using var stream = await serverTls.AuthenticateServerAsync(accepted.GetStream(), timeout.Token);
            var bytes = new byte[1];
            await stream.ReadExactlyAsync(bytes, timeout.Token);
            return bytes[0] == 42;
        }
    }
}
