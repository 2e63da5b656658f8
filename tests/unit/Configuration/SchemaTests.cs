using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

/// <summary>Walks every key of both schemas: accepted in its right type, refused in each wrong one with its path.</summary>
public sealed class SchemaTests
{
    public static TheoryData<string, bool> Keys()
    {
        var data = new TheoryData<string, bool>();
        foreach (var (path, _) in LocalConfigurationSchema.Root.Walk())
        {
            data.Add(path, false);
        }

        foreach (var (path, _) in DynamicConfigurationSchema.Root.Walk())
        {
            data.Add(path, true);
        }

        return data;
    }

    private static List<ConfigurationProblem> Check(string json, bool dynamic, string path)
    {
        var problems = new List<ConfigurationProblem>();
        var document = SettingJson.ParseObject(json, problems);
        Assert.Empty(problems);
        new SettingValidator(dynamic ? DynamicConfigurationSchema.Root : LocalConfigurationSchema.Root,
            dynamic ? SettingPlaces.Dynamic : SettingPlaces.Local, problems).Validate(document!);
        var at = path.Replace(".*", ".mine").Replace("[]", "[0]");
        return [.. problems.Where(p => p.Kind != ConfigurationProblemKind.Missing && (p.Path == at || p.Path.StartsWith(at + "[") || at.StartsWith(p.Path + ".")))];
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void Each_key_in_its_right_type_and_refused_in_wrong_ones(string path, bool dynamic)
    {
        var root = dynamic ? DynamicConfigurationSchema.Root : LocalConfigurationSchema.Root;
        var setting = root.Walk().First(s => s.Path == path).Setting;
        var inDynamic = dynamic || path.StartsWith("bootstrap.dcs.", StringComparison.Ordinal);
        // A key inside a local-only section is where its section is.
        var chain = path.Split('.').Select((_, i) => string.Join('.', path.Split('.').Take(i + 1)))
            .SelectMany(p => root.Walk().Where(s => s.Path == p).Take(1)).Select(s => s.Setting).Where(s => !inDynamic || s.PlacesBelow is null);
        var allowed = chain.Where(s => !inDynamic || s.Key is not "bootstrap").All(s => (s.Places & (inDynamic ? SettingPlaces.Dynamic : SettingPlaces.Local)) != 0);

        var right = Check(SchemaSamples.At(path, SchemaSamples.Right(setting)), dynamic, path);
        if (!allowed)
        {
            Assert.Equal(ConfigurationProblemKind.NotAllowedHere, Assert.Single(right).Kind);
            return;
        }

        Assert.Empty(right);
        if (!path.EndsWith("*.command", StringComparison.Ordinal)) // Without its command such a section is a misspelt key.
        {
            Assert.Empty(Check(SchemaSamples.At(path, "null"), dynamic, path));
        }

        foreach (var wrong in SchemaSamples.Wrong(setting))
        {
            var problems = Check(SchemaSamples.At(path, wrong), dynamic, path);
            Assert.True(problems.Count == 1, $"{path} accepts {wrong}");
            Assert.Contains(problems[0].Kind, new[] { ConfigurationProblemKind.WrongType, ConfigurationProblemKind.OutOfRange });
        }
    }

    [Fact]
    public void Every_key_is_described_and_named_once()
    {
        var problems = new List<string>();
        foreach (var root in new[] { LocalConfigurationSchema.Root, DynamicConfigurationSchema.Root })
        {
            var all = root.Walk().ToList();
            problems.AddRange(all.Where(s => s.Setting.Description.Length < 3).Select(s => s.Path + " has no description"));
            problems.AddRange(all.GroupBy(s => s.Path).Where(g => g.Count() > 1).Select(g => g.Key + " stands twice"));
        }

        Assert.Empty(problems);
    }

    /// <summary>The compatibility page's list of keys; what it names must be known here.</summary>
    [Theory]
    [InlineData("", "name scope namespace")]
    [InlineData("log.", "level traceback_level format dateformat dir file_num file_size loggers type")]
    [InlineData("bootstrap.", "dcs method initdb post_bootstrap post_init")]
    [InlineData("postgresql.", "authentication.superuser authentication.replication authentication.rewind authentication.superuser.sslmode authentication.superuser.sslcert authentication.superuser.sslkey authentication.superuser.sslrootcert callbacks.on_start callbacks.on_stop callbacks.on_restart callbacks.on_reload callbacks.on_role_change connect_address proxy_address listen data_dir config_dir bin_dir bin_name pgpass create_replica_methods basebackup parameters pg_hba pg_ident custom_conf recovery_conf use_unix_socket use_unix_socket_repl use_slots use_pg_rewind remove_data_directory_on_rewind_failure remove_data_directory_on_diverged_timelines pg_ctl_timeout pre_promote before_stop")]
    [InlineData("restapi.", "listen connect_address authentication certfile keyfile keyfile_password cafile ciphers verify_client allowlist allowlist_include_members http_extra_headers https_extra_headers server_tokens request_queue_size")]
    [InlineData("ctl.", "authentication insecure cacert certfile keyfile keyfile_password")]
    [InlineData("watchdog.", "mode device safety_margin")]
    [InlineData("tags.", "nofailover failover_priority noloadbalance clonefrom replicatefrom nosync sync_priority nostream")]
    [InlineData("raft.", "self_addr bind_addr partner_addrs data_dir password tls.certfile tls.keyfile tls.cafile join election_timeout")]
    [InlineData("bootstrap.dcs.", "ttl loop_wait retry_timeout maximum_lag_on_failover maximum_lag_on_syncnode max_timelines_history primary_start_timeout master_start_timeout primary_stop_timeout primary_race_backoff synchronous_mode synchronous_mode_strict synchronous_node_count failsafe_mode check_timeline pause standby_cluster.host standby_cluster.port standby_cluster.primary_slot_name standby_cluster.create_replica_methods standby_cluster.restore_command standby_cluster.archive_cleanup_command standby_cluster.recovery_min_apply_delay member_slots_ttl slots ignore_slots postgresql")]
    public void Every_key_of_the_contract_is_known(string prefix, string keys)
    {
        var known = LocalConfigurationSchema.Root.Walk().Select(s => s.Path).ToHashSet();
        Assert.Equal("", string.Join(" ", keys.Split(' ').Where(k => !known.Contains(prefix + k))));
    }
}
