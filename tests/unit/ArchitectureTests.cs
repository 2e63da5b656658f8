using System.Reflection;
using System.Xml.Linq;
using Xunit;

namespace Patroni.Raft.UnitTests;

/// <summary>
/// Dependencies point down only, in the project files and in what was compiled; and the core is pure, which an analyzer checks at every
/// build and these tests check against the analyzer being gone.
/// </summary>
public sealed class ArchitectureTests
{
    /// <summary>Layer, assembly and everything of ours it may use, directly or not.</summary>
    private static readonly (string Folder, string Assembly, string[] Below)[] Layers =
    [
        ("StateMachine", "Patroni.Raft.StateMachine", []),
        ("Raft", "Patroni.Raft.Consensus", ["StateMachine"]),
        ("Postgres", "Patroni.Raft.Postgres", ["StateMachine"]),
        ("Agent", "Patroni.Raft.Agent", ["StateMachine", "Raft", "Postgres"]),
        ("Api", "Patroni.Raft.Api", ["StateMachine", "Raft", "Postgres", "Agent"]),
        ("Cli", "patroni-raft", ["StateMachine", "Raft", "Postgres", "Agent", "Api"]),
    ];

    /// <summary>Libraries and the only layer that may name them: the others speak to them through it.</summary>
    private static readonly (string Assembly, string[] Folders)[] Owners =
    [
        ("DotNext", ["Raft"]),
        ("Npgsql", ["Postgres"]),
        ("Stateless", ["StateMachine"]),
        ("YamlDotNet", ["Agent"]),
        ("Prometheus", ["Api"]),
        ("prometheus-net", ["Api"]),
        ("System.CommandLine", ["Cli"]),
        ("Spectre.Console", ["Cli"]),
        ("Microsoft.AspNetCore", ["Api", "Cli"]),
    ];

    /// <summary>All that the core needs of .NET; another assembly here is a question to ask.</summary>
    private static readonly string[] AllowedToTheCore =
    [
        "System.Collections", "System.Collections.Immutable", "System.Linq", "System.Memory", "System.Runtime", "System.Text.Encodings.Web",
        "System.Text.Encoding.Extensions", "System.Text.Json", "System.Text.RegularExpressions", "System.Threading", "Stateless",
    ];

    public static TheoryData<string> Folders => [.. Layers.Select(static layer => layer.Folder)];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_project_refers_only_to_projects_below_it(string folder)
    {
        string[] below = Layers.Single(layer => layer.Folder == folder).Below;
        string[] named = [.. References(folder, "ProjectReference").Select(static path => Path.GetFileName(Path.GetDirectoryName(path.Replace('\\', '/')))!)];
        Assert.Empty(named.Except(below));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void An_assembly_uses_only_layers_below_it(string folder)
    {
        (string _, string assembly, string[] below) = Layers.Single(layer => layer.Folder == folder);
        HashSet<string> allowed = [.. Layers.Where(layer => below.Contains(layer.Folder)).Select(static layer => layer.Assembly)];
        string[] ours = [.. Layers.Select(static layer => layer.Assembly)];
        Assert.Empty(Uses(assembly).Where(ours.Contains).Except(allowed));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_library_is_named_only_in_the_layer_that_owns_it(string folder)
    {
        string assembly = Layers.Single(layer => layer.Folder == folder).Assembly;
        string[] foreign = [.. Owners.Where(owner => !owner.Folders.Contains(folder)).Select(static owner => owner.Assembly)];
        string[] used = [.. Uses(assembly), .. References(folder, "PackageReference")];
        // The transport of the Raft library is built on this interface package; it holds no web server.
        bool isTransport(string name) => folder == "Raft" && name == "Microsoft.AspNetCore.Connections.Abstractions";
        Assert.DoesNotContain(used, name => !isTransport(name) && foreign.Any(library => name == library || name.StartsWith(library + ".", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_project_under_src_is_a_layer() =>
        Assert.Equal(
            Layers.Select(static layer => layer.Folder).Order(),
            Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "src"), "*.csproj", SearchOption.AllDirectories)
                .Select(static path => Path.GetFileName(Path.GetDirectoryName(path)!)).Order());

    [Fact]
    public void The_core_uses_nothing_that_reads_the_world() =>
        Assert.Empty(Uses("Patroni.Raft.StateMachine").Except(AllowedToTheCore));

    [Fact]
    public void The_core_has_no_framework_reference_and_one_package()
    {
        Assert.Empty(References("StateMachine", "FrameworkReference"));
        Assert.Equal(["Microsoft.CodeAnalysis.BannedApiAnalyzers", "Stateless"], References("StateMachine", "PackageReference").Order());
        Assert.Equal(["BannedSymbols.txt"], References("StateMachine", "AdditionalFiles"));
    }

    [Theory]
    [InlineData("T:System.DateTime")]
    [InlineData("P:System.DateTimeOffset.UtcNow")]
    [InlineData("P:System.DateTimeOffset.Now")]
    [InlineData("T:System.Diagnostics.Stopwatch")]
    [InlineData("T:System.TimeProvider")]
    [InlineData("P:System.Environment.TickCount64")]
    [InlineData("T:System.Random")]
    [InlineData("M:System.Guid.NewGuid")]
    [InlineData("T:System.Security.Cryptography.RandomNumberGenerator")]
    [InlineData("N:System.IO")]
    [InlineData("N:System.Net")]
    [InlineData("T:System.Console")]
    [InlineData("T:System.Diagnostics.Process")]
    [InlineData("T:System.Threading.Tasks.Task")]
    [InlineData("T:System.HashCode")]
    [InlineData("M:System.String.GetHashCode")]
    public void What_would_make_replicas_differ_is_banned(string symbol) =>
        Assert.Contains(BannedSymbols(), line => line.StartsWith(symbol + ";", StringComparison.Ordinal));

    /// <summary>A name that does not exist bans nothing, and the analyzer says nothing about it.</summary>
    [Fact]
    public void Every_banned_symbol_exists()
    {
        foreach (string line in BannedSymbols())
        {
            string name = line[2..].Split(';')[0];
            bool exists = line[0] switch
            {
                'T' => TypeNamed(name) is not null,
                'N' => FrameworkTypes().Any(type => type.Namespace == name || type.Namespace?.StartsWith(name + ".", StringComparison.Ordinal) == true),
                'P' => TypeNamed(name[..name.LastIndexOf('.')])?.GetProperty(name[(name.LastIndexOf('.') + 1)..]) is not null,
                'M' => TypeNamed(name[..name.LastIndexOf('.')])?.GetMethod(name[(name.LastIndexOf('.') + 1)..], Type.EmptyTypes) is not null,
                _ => false,
            };
            Assert.True(exists, $"BannedSymbols.txt names {line}, which does not exist.");
        }
    }

    /// <summary>A use of a banned symbol is an error because every warning is one and nothing takes the rule back.</summary>
    [Fact]
    public void A_banned_symbol_breaks_the_build()
    {
        XDocument everywhere = XDocument.Load(Path.Combine(RepositoryFiles.Root, "Directory.Build.props"));
        Assert.Equal("true", everywhere.Descendants("TreatWarningsAsErrors").Single().Value);
        string[] texts =
        [
            everywhere.ToString(),
            ProjectFile("StateMachine").ToString(),
            File.ReadAllText(Path.Combine(RepositoryFiles.Root, ".editorconfig")),
            .. Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "src", "StateMachine"), "*.cs", SearchOption.AllDirectories)
                .Where(static path => !path.Replace('\\', '/').Contains("/obj/")).Select(File.ReadAllText),
        ];
        Assert.All(texts, static text => Assert.DoesNotContain("RS0030", text));
        Assert.All(texts, static text => Assert.DoesNotContain("RunAnalyzers", text));
    }

    private static IEnumerable<string> BannedSymbols() =>
        File.ReadLines(Path.Combine(RepositoryFiles.Root, "src", "StateMachine", "BannedSymbols.txt")).Where(static line => line.Length > 0);

    private static XDocument ProjectFile(string folder) =>
        XDocument.Load(Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "src", folder), "*.csproj").Single());

    private static string[] References(string folder, string kind) =>
        [.. ProjectFile(folder).Descendants(kind).Select(static element => element.Attribute("Include")!.Value)];

    private static string[] Uses(string assembly) =>
        [.. Assembly.Load(assembly).GetReferencedAssemblies().Select(static name => name.Name!)];

    private static Type? TypeNamed(string name) => FrameworkTypes().FirstOrDefault(type => type.FullName == name);

    private static IEnumerable<Type> FrameworkTypes() =>
        new[] { typeof(object), typeof(Console), typeof(System.Diagnostics.Process), typeof(System.Net.IPAddress), typeof(System.Net.Http.HttpClient), typeof(System.Net.Sockets.Socket), typeof(System.Security.Cryptography.RandomNumberGenerator) }
            .SelectMany(static type => type.Assembly.GetExportedTypes());
}
