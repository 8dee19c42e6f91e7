"""Sections and options that operators bring from upstream's files and that have no effect here."""

FILES = ("glance-api.conf", "glance-image-import.conf")
"""Names of upstream's files, which may hold anything that is unknown here."""

_SECTIONS = """
barbican barbican_service_user key_manager vault oslo_concurrency oslo_reports profiler taskflow_executor wsgi
os_glance_tasks_store
"""

_DEFAULT = """
bind_host bind_port workers restore metadata_encryption_key digest_algorithm
pydev_worker_debug_host pydev_worker_debug_port
"""

_DATABASE = """
backend slave_connection asynchronous_connection asynchronous_slave_connection connection_parameters connection_debug
connection_trace min_pool_size mysql_enable_ndb mysql_wsrep_sync_wait sqlite_synchronous use_db_reconnect
db_retry_interval db_inc_retry_interval db_max_retry_interval
"""

_STORES = """
filesystem_store_timeout filesystem_store_thread_pool_size filesystem_store_threadpool_threshold
rbd_store_pool rbd_store_user rbd_store_ceph_conf rbd_store_chunk_size rados_connect_timeout rbd_thin_provisioning
s3_store_host s3_store_region_name s3_store_access_key s3_store_secret_key s3_store_bucket
s3_store_create_bucket_on_put s3_store_bucket_url_format s3_store_large_object_size s3_store_large_object_chunk_size
s3_store_thread_pools s3_store_cacert s3_store_enable_data_integrity_protection s3_store_request_checksum_calculation
s3_store_response_checksum_validation
default_swift_reference swift_store_config_file swift_store_auth_insecure swift_store_cacert swift_store_region
swift_store_endpoint swift_store_endpoint_type swift_store_service_type swift_store_container
swift_store_large_object_size swift_store_large_object_chunk_size swift_store_create_container_on_put
swift_store_multi_tenant swift_store_multiple_containers_seed swift_store_admin_tenants swift_store_ssl_compression
swift_store_retry_get_count swift_store_expire_soon_interval swift_store_use_trusts swift_buffer_on_upload
swift_upload_buffer_dir
cinder_catalog_info cinder_endpoint_template cinder_os_region_name cinder_ca_certificates_file cinder_api_insecure
cinder_http_retries cinder_state_transition_timeout cinder_store_auth_address cinder_store_user_name
cinder_store_user_domain_name cinder_store_password cinder_store_project_name cinder_store_project_domain_name
cinder_store_application_credential_id cinder_store_application_credential_secret cinder_volume_type
cinder_enforce_multipath cinder_use_multipath cinder_mount_point_base cinder_do_extend_attached
cinder_attachment_retry_attempts rootwrap_config
vmware_server_host vmware_server_username vmware_server_password vmware_api_retry_count vmware_task_poll_interval
vmware_store_image_dir vmware_insecure vmware_ca_file vmware_datastores
"""

SECTIONS = frozenset(_SECTIONS.split())
"""Sections in which any option may stand; libraries that are installed know some of them."""

OPTIONS = {
    "DEFAULT": _DEFAULT.split(),
    "database": _DATABASE.split(),
    "oslo_policy": ["enforce_new_defaults", "enforce_scope"],
    "task": ["task_executor"],
}
"""Options by section. Older releases of libraries still know some of them."""

STORE_OPTIONS = frozenset(_STORES.split())
"""Options of drivers, which may stand in the section of any store."""


def has(section: str, name: str | None, *, is_store: bool) -> bool:
    """Return whether upstream has the section, or the option in it; ``is_store``: it is the section of a store."""
    return section in SECTIONS or name in OPTIONS.get(section, ()) or (is_store and name in STORE_OPTIONS)
