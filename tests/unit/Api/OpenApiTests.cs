using System.Text.Json;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

public sealed class OpenApiTests
{
    [Fact]
    public async Task The_description_is_valid_OpenAPI()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        ReadResult read = OpenApiDocument.Parse((await api.SendAsync("GET", "/openapi.json")).Text, "json");
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        Assert.Equal(OpenApiSpecVersion.OpenApi3_0, read.Diagnostic.SpecificationVersion);
    }

    [Fact]
    public async Task The_description_has_every_route_and_no_other()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        (int status, string text) = await api.SendAsync("GET", "/openapi.json");
        Assert.Equal(200, status);
        using JsonDocument document = JsonDocument.Parse(text);
        IEnumerable<string> described = document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(static path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"));
        IEnumerable<string> mapped = api.Host.Routes.Where(static route => route.Path != "/{**path}")
            .SelectMany(static route => route.Methods.Select(method => $"{method} {route.Path.Replace("{**member}", "{member}")}"));
        Assert.Equal(mapped.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }
}
