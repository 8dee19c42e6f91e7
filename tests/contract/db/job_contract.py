"""The whole contract of jobs, staging, imports, restorable images and stored events."""

from tests.contract.db.claims import ClaimContract
from tests.contract.db.imports import ImportContract, ImportLockContract
from tests.contract.db.jobs import JobContract, JobListContract
from tests.contract.db.outbox import OutboxContract
from tests.contract.db.staging import StagingContract
from tests.contract.db.trash import PendingContract
from tests.contract.db.watched import WatchContract


class JobAccessContract(
    JobContract,
    JobListContract,
    ClaimContract,
    StagingContract,
    ImportLockContract,
    ImportContract,
    PendingContract,
    OutboxContract,
    WatchContract,
):
    """Mix into a ``testtools.TestCase`` and give it ``open_access``."""
