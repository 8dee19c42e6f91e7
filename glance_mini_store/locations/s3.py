"""``s3[+http|+https]://[access:secret@]host[/path]/bucket/key``: an object in an S3 service."""

from glance_mini_store.locations.base import StoreLocation, bad_uri, split_credentials, split_object


class S3Location(StoreLocation):
    """``s3serviceurl`` is host and path without a scheme; ``accesskey`` and ``secretkey`` (which may hold
    ``/``) are not decoded, None without credentials.
    """

    schemes = ("s3", "s3+https", "s3+http")
    specs = ("s3serviceurl", "accesskey", "secretkey", "bucket", "key")
    s3serviceurl: str
    accesskey: str | None
    secretkey: str | None
    bucket: str
    key: str

    def get_uri(self) -> str:
        """Return the URI with its credentials, if it has any."""
        credentials = "" if self.accesskey is None else f"{self.accesskey}:{self.secretkey}@"
        return f"{self.scheme}://{credentials}{self.s3serviceurl}/{self.bucket}/{self.key}"

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        rest = self.split(uri)
        if uri.count("://") != 1:
            bad_uri(uri, "it must hold '://' once")
        credentials, target = split_credentials(rest)
        self.accesskey = self.secretkey = None
        if credentials is not None:
            self.accesskey, _, self.secretkey = credentials.partition(":")
            if not self.accesskey or not self.secretkey:
                bad_uri(uri, "credentials must be access:secret")
        self.s3serviceurl, self.bucket, self.key = split_object(uri, target)
