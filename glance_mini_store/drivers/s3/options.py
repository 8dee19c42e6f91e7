"""The options of the ``s3`` driver."""

from oslo_config import cfg

from glance_mini_store.drivers.s3.parts import MIB, SMALLEST_PART
from glance_mini_store.ranges import ranges_option

_CHECKSUMS = ("when_required", "when_supported")

OPTIONS = (
    cfg.StrOpt(
        "s3_store_host",
        help="Address of the S3 service, for example https://s3.eu-central-1.amazonaws.com; without a scheme, https.",
    ),
    cfg.StrOpt(
        "s3_store_public_host",
        help="Address of the S3 service for clients of direct downloads, see ``[direct_access] downloads``, if they "
        "reach it by another one. Unset: s3_store_host.",
    ),
    cfg.StrOpt("s3_store_region_name", help="Region for signatures and for a new bucket. Unset: us-east-1."),
    cfg.StrOpt("s3_store_access_key", secret=True, help="Access key. It is never part of the location of an image."),
    cfg.StrOpt("s3_store_secret_key", secret=True, help="Secret key of s3_store_access_key."),
    cfg.StrOpt(
        "s3_store_session_token",
        secret=True,
        help="Session token, if s3_store_access_key is valid for a limited time only. Replace all three before it "
        "ends, and send SIGHUP.",
    ),
    cfg.StrOpt("s3_store_bucket", help="Bucket that holds the data. Give it to this store alone."),
    cfg.BoolOpt(
        "s3_store_create_bucket_on_put",
        default=False,
        help="Create the bucket at the first write if it does not exist. Otherwise a missing bucket stops the start.",
    ),
    cfg.StrOpt(
        "s3_store_bucket_url_format",
        default="auto",
        choices=("auto", "virtual", "path"),
        help="Where the bucket stands in URLs: in the name of the host (virtual) or in the path. auto: virtual for the "
        "hosts of Amazon, which are below amazonaws.com, path for others.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_size",
        default=100 * MIB,
        min=1,
        help="Bytes from which an object is sent in parts. One that is larger than a part is sent in parts anyway, "
        "because it is not held in memory.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_chunk_size",
        default=10 * MIB,
        min=SMALLEST_PART,
        help="Bytes of a part. Parts grow where 10,000 of them would not reach the size of the object. Those in "
        "memory take at most 32 MiB for each upload, borrowed from the memory of transfers; a part of more than 16 "
        "MiB, or one that is lent no memory, is kept in a temporary file.",
    ),
    cfg.IntOpt(
        "s3_store_thread_pools",
        default=10,
        min=1,
        help="How many parts of an upload are sent at once, as far as the memory of an upload allows.",
    ),
    ranges_option("s3_store_read_ranges"),
    cfg.BoolOpt(
        "s3_store_sign_data",
        default=True,
        help="Sign a SHA-256 hash of the data that is sent over plain http, so that nobody on the way can change it. "
        "It takes 0.7 seconds of CPU for each GiB here, and as much in the service. With https, TLS protects the data.",
    ),
    cfg.StrOpt(
        "s3_store_user_locations",
        help="Where users may keep objects and name them as the data of images: a bucket or a part of one of this "
        "service, with ``$(project_id)s/`` for the project, for example ``stash/$(project_id)s/`` or "
        "``images-$(project_id)s/``. The keys of the store must be able to read there; the service neither writes nor "
        "deletes there. Unset: users may name no object.",
    ),
    cfg.StrOpt("s3_store_cacert", help="PEM file with the CA certificates that verify the service. Unset: boto3's."),
    cfg.BoolOpt(
        "s3_store_enable_data_integrity_protection",
        default=False,
        help="Use the two following options. Otherwise both are when_required, which every service understands.",
    ),
    cfg.StrOpt(
        "s3_store_request_checksum_calculation",
        default="when_required",
        choices=_CHECKSUMS,
        help="When checksums are sent with data.",
    ),
    cfg.StrOpt(
        "s3_store_response_checksum_validation",
        default="when_required",
        choices=_CHECKSUMS,
        help="When checksums of data that is read are verified.",
    ),
    cfg.StrOpt(
        "s3_store_server_side_encryption",
        choices=("AES256", "aws:kms", "aws:kms:dsse"),
        help="Encryption that the service is asked for with each write. Unset: what the bucket is set to.",
    ),
    cfg.StrOpt("s3_store_sse_kms_key_id", help="Key of the key management service for aws:kms and aws:kms:dsse."),
    cfg.FloatOpt("s3_store_connect_timeout", default=10.0, min=0.1, help="Seconds to wait for a connection."),
    cfg.FloatOpt("s3_store_read_timeout", default=60.0, min=0.1, help="Seconds to wait for the next bytes."),
    cfg.IntOpt(
        "s3_store_attempts",
        default=5,
        min=1,
        help="How often a request is sent that fails for a cause that may pass; the delay before the next one grows up "
        "to 20 seconds. A broken read is resumed as often without progress.",
    ),
)
