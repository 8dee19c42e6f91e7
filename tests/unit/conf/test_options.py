"""The names and defaults that operators know, and the service's own."""

import testtools
from oslo_config import cfg

from glance_mini import conf

REFERENCE = {
    ("DEFAULT", "hashing_algorithm"): "sha512",
    ("DEFAULT", "image_size_cap"): 1099511627776,
    ("DEFAULT", "user_storage_quota"): "0",
    ("DEFAULT", "use_keystone_limits"): False,
    ("DEFAULT", "image_member_quota"): 128,
    ("DEFAULT", "image_property_quota"): 128,
    ("DEFAULT", "image_tag_quota"): 128,
    ("DEFAULT", "image_location_quota"): 10,
    ("DEFAULT", "limit_param_default"): 25,
    ("DEFAULT", "api_limit_max"): 1000,
    ("DEFAULT", "show_image_direct_url"): False,
    ("DEFAULT", "show_multiple_locations"): False,
    ("DEFAULT", "enabled_import_methods"): ["glance-direct", "web-download", "copy-image"],
    ("DEFAULT", "do_secure_hash"): True,
    ("DEFAULT", "http_retries"): 3,
    ("DEFAULT", "node_staging_uri"): "file:///tmp/staging/",
    ("DEFAULT", "worker_self_reference_url"): None,
    ("DEFAULT", "delayed_delete"): False,
    ("DEFAULT", "wakeup_time"): 300,
    ("DEFAULT", "scrub_pool_size"): 1,
    ("DEFAULT", "daemon"): False,
    ("DEFAULT", "public_endpoint"): None,
    ("DEFAULT", "allow_anonymous_access"): False,
    ("DEFAULT", "max_request_id_length"): 64,
    ("DEFAULT", "property_protection_file"): None,
    ("DEFAULT", "property_protection_rule_format"): "roles",
    ("DEFAULT", "default_publisher_id"): "image.localhost",
    ("DEFAULT", "disabled_notifications"): [],
    ("DEFAULT", "metadata_source_path"): None,
    ("DEFAULT", "image_cache_dir"): None,
    ("DEFAULT", "image_cache_driver"): "centralized_db",
    ("DEFAULT", "image_cache_max_size"): 10 * 1024**3,
    ("DEFAULT", "image_cache_stall_time"): 86_400,
    ("DEFAULT", "image_cache_sqlite_db"): "cache.db",
    ("image_format", "container_formats"): ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"],
    ("image_format", "disk_formats"): [
        *["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]
    ],
    ("image_format", "vmdk_allowed_types"): ["streamOptimized", "monolithicSparse"],
    ("image_format", "require_image_format_match"): True,
    ("image_format", "gpt_safety_checks_nonfatal"): [],
    ("paste_deploy", "config_file"): None,
    ("task", "task_time_to_live"): 48,
    ("image_import_opts", "image_import_plugins"): [],
    ("image_import_opts", "max_parallel_stores"): 0,
    ("import_filtering_opts", "allowed_schemes"): ["http", "https"],
    ("import_filtering_opts", "disallowed_schemes"): [],
    ("import_filtering_opts", "allowed_hosts"): [],
    ("import_filtering_opts", "disallowed_hosts"): [],
    ("import_filtering_opts", "allowed_ports"): [80, 443],
    ("import_filtering_opts", "disallowed_ports"): [],
    ("inject_metadata_properties", "ignore_user_roles"): ["admin"],
    ("inject_metadata_properties", "inject"): {},
    ("image_conversion", "output_format"): "raw",
    ("glance_download_properties", "extra_properties"): ["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
}

OWN = {
    ("DEFAULT", "max_searched_images"): 10_000,
    ("DEFAULT", "scrub_time"): 7 * 24 * 3600,
    ("DEFAULT", "strict_config"): True,
    ("DEFAULT", "compute_checksum"): True,
    ("DEFAULT", "staging_store_driver"): "file",
    ("DEFAULT", "staging_is_shared"): False,
    ("DEFAULT", "quota_counts_deleted"): True,
    ("cache", "prefetch"): [],
    ("cache", "prefetch_interval"): 300,
    ("cache", "max_unused"): 0,
    ("cache", "check_interval"): 5,
    ("cache", "max_fills"): 8,
    ("paste_deploy", "flavor"): "token",
    ("domain", "layers"): ["auth", "notifier", "policy", "quota", "location", "database"],
    ("server", "bind"): "127.0.0.1:9292",
    ("server", "workers"): 2,
    ("server", "threads"): 64,
    ("server", "max_transfers"): 0,
    ("server", "transfers_per_project"): 0,
    ("server", "keepalive"): 5,
    ("server", "io_timeout"): 60,
    ("server", "minimum_rate"): 1024,
    ("server", "rate_window"): 60,
    ("server", "graceful_timeout"): 60,
    ("server", "tls_certificate"): None,
    ("server", "tls_key"): None,
    ("server", "worker"): True,
    ("task", "work_dir"): "/var/lib/glance-mini/work",
    ("workers", "threads"): 4,
    ("workers", "quick_threads"): 2,
    ("workers", "lease_seconds"): 60,
    ("workers", "poll_interval"): 5.0,
    ("workers", "jobs_per_project"): None,
    ("workers", "jobs_per_store"): None,
    ("workers", "priorities"): {},
    ("workers", "max_attempts"): None,
    ("workers", "wakeup"): None,
    ("workers", "graceful_timeout"): 30,
    ("identity", "enabled"): True,
    ("identity", "token_seconds"): 28800,
    ("identity", "tokens_per_user"): 1000,
    ("identity", "region"): "RegionOne",
    ("direct_access", "link_seconds"): 900,
    ("direct_access", "max_link_seconds"): 3600,
    ("direct_access", "links_per_project"): 100,
    ("direct_access", "uploads"): False,
    ("direct_access", "upload_grace"): 3600,
    ("direct_access", "downloads"): False,
    ("direct_access", "download_seconds"): 300,
    ("uploads", "expire_seconds"): 172800,
    ("uploads", "sessions_per_image"): 32,
    ("uploads", "sessions_per_project"): 100,
    ("uploads", "keep_free_mib"): 1024,
    ("metadefs", "enforce"): [],
    ("metadefs", "max_namespaces"): 1000,
    ("metadefs", "max_resource_types"): 1000,
    ("metadefs", "max_associations"): 100,
    ("metadefs", "max_properties"): 1000,
    ("metadefs", "max_objects"): 1000,
    ("metadefs", "max_tags"): 1000,
    ("metadefs", "max_definition_bytes"): 65_536,
    ("metadefs", "max_total_bytes"): 4 * 1024**2,
    ("metadefs", "max_body_bytes"): 128 * 1024,
    ("web_download", "max_size"): 0,
    ("web_download", "total_timeout"): 86400,
    ("web_download", "idle_timeout"): 60,
    ("web_download", "minimum_rate"): 102400,
    ("web_download", "rate_window"): 60,
    ("web_download", "retries"): 5,
    ("web_download", "retry_delay"): 2,
    ("web_download", "ca_certificates_file"): None,
    ("image_format", "refuse_compressed_raw"): False,
    ("image_decompression", "max_size"): 0,
    ("incremental", "max_depth"): 10,
    ("incremental", "coalesce_depth"): 0,
    ("incremental", "max_index_kib"): 4096,
    ("image_conversion", "timeout"): 7200,
    ("image_conversion", "cpu_seconds"): 3600,
    ("image_conversion", "memory_mib"): 1024,
    ("server", "metrics"): True,
    ("server", "metrics_loopback_only"): True,
    ("server", "max_json_body"): 1048576,
    ("server", "max_lists_in_flight"): 4,
    ("server", "max_location_checks"): 8,
    ("server", "max_waiting_bytes"): 33554432,
    ("server", "body_timeout"): 10,
    ("server", "answer_timeout"): 60,
    ("DEFAULT", "state_directory"): None,
    ("server", "compression"): True,
    ("server", "access_log"): None,
    ("server", "access_log_format"): "text",
    ("server", "access_log_size"): 67108864,
    ("authentication", "users_file"): None,
    ("authentication", "token_uses_file"): None,
    ("authentication", "realm"): "glance-mini",
    ("authentication", "password_cache_seconds"): 60,
    ("authentication", "password_waiters"): 8,
    ("authentication", "password_failures"): 10,
    ("authentication", "password_failure_seconds"): 60,
    ("transfers", "lease_seconds"): 60,
    ("transfers", "reaper_interval"): 20,
    ("verify", "interval"): 0,
    ("verify", "rate"): 33554432,
    ("verify", "repair"): False,
    ("verify", "safe_age"): 86400,
    ("verify", "max_findings"): 10000,
    ("events", "log"): True,
    ("server", "page"): True,
    ("events", "keep"): 900,
    ("events", "interval"): 1.0,
    ("events", "max_listeners"): 1000,
    ("events", "max_listeners_per_caller"): 20,
    ("events", "max_pending_bytes"): 256 * 1024,
    ("events", "heartbeat"): 15,
    ("events", "check_interval"): 30,
    ("transfers", "reserve_step_mib"): 64,
    ("transfers", "memory_mib"): 256,
    ("transfers", "memory_wait"): 10,
    ("notifications", "delivery"): "direct",
    ("notifications", "queue_size"): 10000,
    ("registry", "endpoints"): [],
    ("registry", "certificate"): None,
    ("registry", "key"): None,
    ("registry", "ca_file"): None,
    ("registry", "timeout"): 30,
    ("registry", "attempt_timeout"): 4,
    ("registry", "connect_timeout"): 2,
    ("registry", "reach_timeout"): 10,
    ("registry", "retry_after"): 5,
    ("registry", "max_connections"): 64,
    ("registry", "max_answer_mib"): 256,
    ("registry_service", "bind"): "127.0.0.1:9191",
    ("registry_service", "workers"): 2,
    ("registry_service", "threads"): 64,
    ("registry_service", "keepalive"): 75,
    ("registry_service", "graceful_timeout"): 30,
    ("registry_service", "certificate"): None,
    ("registry_service", "key"): None,
    ("registry_service", "client_ca"): None,
    ("registry_service", "client_crl"): None,
    ("registry_service", "node_roles"): [],
    ("registry_service", "max_call_mib"): 32,
    ("registry_service", "keep_keys"): 3600,
    ("database", "data_access"): "sqlalchemy",
    ("database", "connection"): None,
    ("database", "max_pool_size"): 16,
    ("database", "max_overflow"): 48,
    ("database", "pool_timeout"): 30,
    ("database", "connection_recycle_time"): 3600,
    ("database", "max_retries"): 10,
    ("database", "retry_interval"): 10,
    ("database", "db_max_retries"): 20,
    ("database", "mysql_sql_mode"): "TRADITIONAL",
    ("database", "prepared_statements"): True,
    ("database", "sqlite_busy_timeout"): 30,
    ("database", "read_timeout"): 10.0,
}


def group_name(group):
    return getattr(group, "name", group) or "DEFAULT"


class TestOptions(testtools.TestCase):
    def test_names_and_defaults_are_those_of_the_reference_and_our_own(self):
        found = {(group_name(m.GROUP), opt.name): opt.default for m in conf.MODULES for opt in m.OPTS}

        self.assertEqual(REFERENCE | OWN, found)

    def test_every_default_is_a_value_that_its_option_accepts(self):
        configuration = cfg.ConfigOpts()
        conf.register_opts(configuration)
        configuration([], default_config_files=[], default_config_dirs=[])

        for (group, name), default in (REFERENCE | OWN).items():
            values = configuration if group == "DEFAULT" else configuration[group]
            self.assertEqual(default, values[name], (group, name))

    def test_options_can_be_registered_twice(self):
        configuration = cfg.ConfigOpts()
        conf.register_opts(configuration)
        conf.register_opts(configuration)

    def test_every_option_and_every_group_has_a_help_text(self):
        for module in conf.MODULES:
            self.assertTrue(module.GROUP is None or module.GROUP.help, module)
            for opt in module.OPTS:
                self.assertRegex(opt.help, r"^[A-Z]", opt.name)

    def test_the_options_for_the_sample_hold_those_of_the_stores(self):
        listed = {(group_name(group), opt.name) for group, opts in conf.list_opts() for opt in opts}

        self.assertEqual(set(), set(REFERENCE | OWN) - listed)
        self.assertIn(("DEFAULT", "enabled_backends"), listed)

    def test_a_change_of_a_listed_option_does_not_reach_the_original(self):
        listed = {(group_name(group), opt.name): opt for group, opts in conf.list_opts() for opt in opts}
        listed["server", "bind"].default = "elsewhere:1"

        again = {(group_name(group), opt.name): opt for group, opts in conf.list_opts() for opt in opts}
        self.assertEqual("127.0.0.1:9292", again["server", "bind"].default)
