"""Whether a service obeys headers that the signature of an address does not cover.

S3 refuses a request with headers of its own that are not signed. A service that obeys them lets everybody with an
address for an upload copy any object of the bucket into it, by ``x-amz-copy-source``; Ceph's object gateway 16 does.
"""

import threading
import uuid

import urllib3

from glance_mini_store.drivers.s3.bucket import Bucket

_OTHERS, _SENT = b"others", b"public"
"""Data of the same length: a signature covers the length."""

_SECONDS = 60


class UnsignedHeaders:
    """Tries it once, with two small objects that it removes. ``cacert`` is a path or None; ``timeout`` in seconds."""

    def __init__(self, cacert: str | None, timeout: float) -> None:
        self._cacert = cacert
        self._timeout = timeout
        self._lock = threading.Lock()
        self._are_obeyed: bool | None = None

    def are_obeyed(self, bucket: Bucket) -> bool:
        """Return whether an address for an upload to ``bucket`` copies another object; raises what boto3 raises."""
        with self._lock:
            if self._are_obeyed is None:
                self._are_obeyed = self._try(bucket)
            return self._are_obeyed

    def _try(self, bucket: Bucket) -> bool:
        source, target = (f"glance-mini-check-{uuid.uuid4().hex}" for _ in range(2))
        try:
            bucket.put(source, _OTHERS, uuid.uuid4().hex)
            url = bucket.presigned_upload(target, _SECONDS, len(_SENT))
            return any(self._has_copied(bucket, url, source, target, body) for body in (_SENT, b""))
        finally:
            for key in (source, target):
                bucket.delete(key)

    def _has_copied(self, bucket: Bucket, url: str, source: str, target: str, body: bytes) -> bool:
        headers = {"x-amz-copy-source": f"/{bucket.name}/{source}"}
        with urllib3.PoolManager(ca_certs=self._cacert, timeout=self._timeout, retries=False) as pool:
            pool.request("PUT", url, body=body, headers=headers)
        if bucket.head(target) is None:
            return False
        found = bucket.get(target, 0, None, None)["Body"]
        try:
            return found.read(len(_OTHERS)) == _OTHERS
        finally:
            found.close()
