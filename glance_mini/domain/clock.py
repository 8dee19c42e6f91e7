"""The clock of the service: UTC without a zone, as the database stores it."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the current time, UTC without a zone, in microseconds."""
    return datetime.now(UTC).replace(tzinfo=None)
