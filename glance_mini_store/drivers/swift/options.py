"""The options of the ``swift`` driver."""

from oslo_config import cfg

from glance_mini_store.lists import ListOpt
from glance_mini_store.ranges import ranges_option

OPTIONS = (
    cfg.StrOpt(
        "swift_store_config_file",
        help="File with the accounts of a single-tenant store: a section for each reference, with auth_address, user "
        "and key, or with application_credential_id and application_credential_secret. Not with "
        "swift_store_multi_tenant.",
    ),
    cfg.StrOpt("default_swift_reference", default="ref1", help="The section of that file for new data."),
    cfg.StrOpt(
        "swift_store_auth_address",
        help="URL of the authentication service, if there is no swift_store_config_file. A multi-tenant store uses "
        "these credentials where no user's token is at hand, and for trusts.",
    ),
    cfg.StrOpt(
        "swift_store_auth_version",
        choices=["1", "3"],
        help="1 (TempAuth) or 3 (Keystone); unset: 1 if the path of the address begins with /auth or ends with /v1 or "
        "/v1.0, else 3.",
    ),
    cfg.StrOpt("swift_store_user", help="User as account:user (version 1) or project:user (version 3)."),
    cfg.StrOpt("swift_store_key", secret=True, help="Password of that user."),
    cfg.StrOpt("swift_store_user_domain_id", default="default", help="Domain of that user (version 3)."),
    cfg.StrOpt("swift_store_project_domain_id", default="default", help="Domain of that project (version 3)."),
    cfg.StrOpt(
        "swift_store_application_credential_id", help="Id of an application credential, instead of user and key."
    ),
    cfg.StrOpt("swift_store_application_credential_secret", secret=True, help="Secret of that application credential."),
    cfg.BoolOpt("swift_store_auth_insecure", default=False, help="Do not check certificates of servers."),
    cfg.StrOpt("swift_store_cacert", help="File with the certificates of the CA that servers are checked against."),
    cfg.StrOpt("swift_store_region", help="Region in the catalog; unset: the first."),
    cfg.StrOpt(
        "swift_store_endpoint",
        help="Storage URL, instead of that of the catalog; $(project_id)s stands for the project, which a multi-tenant "
        "store needs, for example https://swift.example.org/v1/AUTH_$(project_id)s.",
    ),
    cfg.StrOpt(
        "swift_store_endpoint_type",
        default="publicURL",
        choices=["publicURL", "internalURL", "adminURL"],
        help="Interface in the catalog.",
    ),
    cfg.StrOpt("swift_store_service_type", default="object-store", help="Type of the service in the catalog."),
    cfg.StrOpt(
        "swift_store_container",
        default="glance",
        help="Container of a single-tenant store; the first part of the names of containers otherwise.",
    ),
    cfg.IntOpt(
        "swift_store_large_object_size",
        default=5 * 1024,
        min=1,
        help="Size in MiB from which data is written in segments; data of unknown size always is.",
    ),
    cfg.IntOpt(
        "swift_store_large_object_chunk_size",
        default=200,
        min=1,
        help="Size of a segment in MiB. The later segments of very large data are larger.",
    ),
    cfg.BoolOpt(
        "swift_store_create_container_on_put",
        default=False,
        help="Create the container if it is missing. A multi-tenant store always creates its containers.",
    ),
    cfg.BoolOpt(
        "swift_store_multi_tenant",
        default=False,
        help="Keep data in the accounts of the projects that own the images, written with the tokens of users.",
    ),
    cfg.BoolOpt(
        "swift_store_user_locations",
        default=False,
        help="Let users name objects of their own, in the same Swift, as the data of images. Each is read with the "
        "user's token first; the container must also let the account of this store read, which serves it later. The "
        "service neither writes nor deletes there. Needs Keystone.",
    ),
    cfg.StrOpt(
        "swift_store_temp_url_key",
        secret=True,
        help="Key of the temporary URLs of direct downloads, see ``[direct_access] downloads``. The account must have "
        "it: ``swift post -m Temp-URL-Key:KEY``. Unset: no direct downloads. Single-tenant only.",
    ),
    cfg.StrOpt(
        "swift_store_public_url",
        help="Scheme, host and port of Swift for clients of direct downloads, for example https://swift.example.org, "
        "if they reach it by another one. Unset: those of the storage URL.",
    ),
    cfg.IntOpt(
        "swift_store_multiple_containers_seed",
        default=0,
        min=0,
        max=32,
        help="Characters of the image's id in the name of its container; 0: one container. Single-tenant only.",
    ),
    ListOpt(
        "swift_store_admin_tenants",
        default=[],
        help="Ids of projects that may read and write all containers of a multi-tenant store.",
    ),
    cfg.BoolOpt("swift_store_ssl_compression", default=True, help="Without effect: TLS is never compressed."),
    cfg.IntOpt(
        "swift_store_retry_get_count",
        default=0,
        min=0,
        max=100,
        help="How often a broken read is continued at the byte that was reached.",
    ),
    ranges_option("swift_store_read_ranges"),
    cfg.IntOpt(
        "swift_store_expire_soon_interval",
        default=60,
        min=0,
        help="Renew a token that many seconds before it expires.",
    ),
    cfg.BoolOpt(
        "swift_store_use_trusts",
        default=True,
        help="Let the user of swift_store_user act for the user during a long upload to a multi-tenant store, by a "
        "trust of Keystone, so that the upload can outlive the user's token.",
    ),
    cfg.BoolOpt("swift_buffer_on_upload", default=False, help="Without effect: data is never buffered on disk."),
    cfg.StrOpt("swift_upload_buffer_dir", help="Without effect: data is never buffered on disk."),
    cfg.IntOpt(
        "swift_store_connect_timeout",
        default=10,
        min=1,
        help="Seconds for a connection, and for each 64 KiB that are sent.",
    ),
    cfg.IntOpt(
        "swift_store_read_timeout",
        default=60,
        min=1,
        help="Seconds without a byte of an answer. A request that fails is made again, up to three times, but not when "
        "these seconds are over.",
    ),
)
