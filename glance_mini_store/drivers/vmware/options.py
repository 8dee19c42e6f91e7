"""The options of the ``vmware`` driver."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt(
        "vmware_server_host",
        help="Address or name of the vCenter server or ESXi host, with :port if it is not 443. Required. It becomes a "
        "part of new locations.",
    ),
    cfg.StrOpt("vmware_server_username", help="Name of the user who logs in. Required."),
    cfg.StrOpt("vmware_server_password", secret=True, help="Password of that user. Required."),
    cfg.MultiStrOpt(
        "vmware_datastores",
        default=[],
        help="A datastore as datacenter path:datastore name:weight, for example DC1:images:100; may be given several "
        "times, at least once. The weight is a number, 0 if it is missing. New data goes to the datastore with the "
        "highest weight that has room; with equal weights, to the one with most room.",
    ),
    cfg.StrOpt(
        "vmware_store_image_dir",
        default="/openstack_glance",
        help="Folder for the images in each datastore; created at start if it is missing.",
    ),
    cfg.IntOpt(
        "vmware_api_retry_count",
        default=10,
        min=0,
        help="How often a call is made again after its connection failed, each time after a longer pause.",
    ),
    cfg.FloatOpt(
        "vmware_task_poll_interval",
        default=5.0,
        min=0.01,
        help="Longest pause in seconds between two questions whether a task has ended; the first pauses are shorter.",
    ),
    cfg.BoolOpt(
        "vmware_insecure",
        default=False,
        help="Do not verify the certificate of the server. Ignored if vmware_ca_file is set.",
    ),
    cfg.StrOpt(
        "vmware_ca_file",
        help="PEM file with the CA certificates that verify the server. Unset: those of the system.",
    ),
    cfg.FloatOpt(
        "vmware_timeout",
        default=60.0,
        min=0.1,
        help="Seconds to wait for a connection, for the answer to a call, and for the next bytes of a transfer.",
    ),
    cfg.StrOpt(
        "vmware_server_scheme",
        default="https",
        choices=("https", "http"),
        help="The protocol of the server. http sends the password unprotected; it is for simulators.",
    ),
)
