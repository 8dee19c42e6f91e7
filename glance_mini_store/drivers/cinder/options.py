"""The options of the ``cinder`` driver."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt(
        "cinder_store_auth_address",
        help="URL of Keystone. With a user and a project, or an application credential, all volumes belong to that "
        "project; without, to the projects of the users, whose tokens are then used.",
    ),
    cfg.StrOpt("cinder_store_user_name", help="User of the store."),
    cfg.StrOpt("cinder_store_password", secret=True, help="Password of that user."),
    cfg.StrOpt("cinder_store_user_domain_name", default="Default", help="Domain of that user."),
    cfg.StrOpt("cinder_store_project_name", help="Project of the store, which owns the volumes."),
    cfg.StrOpt("cinder_store_project_domain_name", default="Default", help="Domain of that project."),
    cfg.StrOpt(
        "cinder_store_application_credential_id",
        help="Id of an application credential, instead of user and project.",
    ),
    cfg.StrOpt(
        "cinder_store_application_credential_secret", secret=True, help="Secret of that application credential."
    ),
    cfg.StrOpt(
        "cinder_catalog_info",
        default="volumev3::publicURL",
        help="Entry of Cinder in the catalog as type:name:interface; the name may be empty.",
    ),
    cfg.StrOpt(
        "cinder_endpoint_template",
        help="URL of Cinder, instead of that of the catalog; %(project_id)s stands for the project, for example "
        "https://cinder.example.org/v3/%(project_id)s.",
    ),
    cfg.StrOpt("cinder_os_region_name", help="Region in the catalog; unset: the first."),
    cfg.StrOpt("cinder_ca_certificates_file", help="File with the certificates of the CA that servers are checked by."),
    cfg.BoolOpt("cinder_api_insecure", default=False, help="Do not check certificates of servers."),
    cfg.IntOpt(
        "cinder_http_retries",
        default=3,
        min=0,
        max=20,
        help="How often a request is sent again after a failed connection or the answer 503, after longer pauses each "
        "time.",
    ),
    cfg.IntOpt(
        "cinder_http_timeout",
        default=60,
        min=1,
        help="Seconds for a connection to Keystone or Cinder, and without a byte of an answer.",
    ),
    cfg.IntOpt(
        "cinder_state_transition_timeout",
        default=300,
        min=1,
        help="Seconds in which Cinder must have created, extended or deleted a volume.",
    ),
    cfg.StrOpt(
        "cinder_volume_type",
        help="Volume type of new volumes; it must exist. Only volumes of a type with multiattach can be read by "
        "several processes at once. Unset: the default type of Cinder.",
    ),
    cfg.IntOpt(
        "cinder_attachment_retry_attempts",
        default=5,
        min=1,
        max=20,
        help="How often an attachment is tried while somebody else has the volume attached; the pauses between grow "
        "from half a second.",
    ),
    cfg.BoolOpt(
        "cinder_do_extend_attached",
        default=False,
        help="Extend a volume while it is attached, if the backend of Cinder can do that; otherwise it is detached "
        "meanwhile.",
    ),
    cfg.StrOpt(
        "cinder_rbd_keyring",
        help="File with the Ceph key for volumes on Ceph. Default: /etc/ceph/CLUSTER.client.USER.keyring, for the "
        "cluster and the user that Cinder names.",
    ),
    cfg.IntOpt(
        "cinder_rbd_op_timeout",
        default=60,
        min=1,
        help="Seconds after which a connection to Ceph, or an operation that no OSD answers, fails.",
    ),
    cfg.StrOpt(
        "cinder_root_helper",
        help="Words before the commands of os-brick that need root rights, for example sudo, or env for a service that "
        "runs as root. Unset: only volumes that need none can be used, as those on Ceph.",
    ),
    cfg.BoolOpt("cinder_use_multipath", default=False, help="Attach iSCSI and Fibre Channel volumes by multipath."),
    cfg.BoolOpt(
        "cinder_enforce_multipath", default=False, help="Refuse to attach if multipath is wanted and does not run."
    ),
    cfg.StrOpt(
        "cinder_mount_point_base",
        default="/var/lib/glance-mini/mnt",
        help="Folder below which os-brick mounts the shares of NFS volumes.",
    ),
    cfg.StrOpt("rootwrap_config", help="Without effect: see cinder_root_helper."),
)
