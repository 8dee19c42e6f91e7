"""Begins the verification that ``[verify] interval`` asks for; the database decides which worker does."""

from uuid import uuid4

from glance_mini.db.interface import DataAccess
from glance_mini.domain.job import VERIFY, Job
from glance_mini.operations.verification import BeginVerification
from glance_mini.verification.settings import VerifyRequest, VerifySettings

PRIORITY = -100
"""Below that of all other jobs."""


def begin_when_due(data: DataAccess, settings: VerifySettings) -> int:
    """Add the job of a verification of all stores if it is due, and return how many were added; raises Unavailable."""
    if settings.interval is None:
        return 0
    request = VerifyRequest(repairs=settings.repairs)
    return int(data.run(BeginVerification(verify_job(request), settings.interval)) is not None)


def verify_job(request: VerifyRequest) -> Job:
    """Return a pending job for ``request``; nobody else's work waits for it."""
    return Job(id=str(uuid4()), kind=VERIFY, priority=PRIORITY, input=request.as_input())
