"""The clients of boto3: one for each service and access key, made when it is first needed."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from glance_mini_store.drivers.s3.endpoint import Endpoint
from glance_mini_store.drivers.s3.library import Library, S3Client

_KEPT = 8
"""Clients that are kept; more than one is only needed for locations that hold credentials."""

_CONNECTIONS = 64
"""Idle connections that a client keeps for later requests."""


@dataclass(frozen=True)
class Credentials:
    """An access key and its secret key; keys for a limited time have a session token."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Settings:
    """How clients connect. Times in seconds; ``url_format`` is auto, virtual or path; ``cacert`` a path or None.

    ``signs_data``: whether a hash of the data is signed where TLS does not protect it.
    """

    region: str = "us-east-1"
    url_format: str = "auto"
    cacert: str | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 5
    signs_data: bool = True
    request_checksums: str = "when_required"
    response_checksums: str = "when_required"


class Clients:
    """Gives clients; shared by threads. A forked process makes clients of its own."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._clients: OrderedDict[tuple[Endpoint, Credentials], S3Client] = OrderedDict()

    def get(self, endpoint: Endpoint, credentials: Credentials) -> S3Client:
        """Return the client for ``endpoint``; does not connect."""
        with self._lock:
            if self._process != os.getpid():
                # The connections of the parent are its own.
                self._process = os.getpid()
                self._clients = OrderedDict()
            key = (endpoint, credentials)
            client = self._clients.pop(key, None) or self._new(endpoint, credentials)
            self._clients[key] = client
            if len(self._clients) > _KEPT:
                # Not closed: another thread may use it.
                self._clients.popitem(last=False)
            return client

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _new(self, endpoint: Endpoint, credentials: Credentials) -> S3Client:
        settings = self._settings
        return self._library.new_client(
            {
                "signature_version": "s3v4",
                "s3": {
                    "addressing_style": endpoint.url_style(settings.url_format),
                    # TLS protects the data already; a hash of each part for the signature costs time.
                    "payload_signing_enabled": settings.signs_data and not endpoint.is_secure,
                },
                "connect_timeout": settings.connect_timeout,
                "read_timeout": settings.read_timeout,
                "retries": {"mode": "standard", "total_max_attempts": settings.attempts},
                "max_pool_connections": _CONNECTIONS,
                "request_checksum_calculation": settings.request_checksums,
                "response_checksum_validation": settings.response_checksums,
                # None would be those of the environment.
                "proxies": {},
            },
            endpoint_url=endpoint.url,
            region_name=settings.region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            verify=settings.cacert or True,
        )
