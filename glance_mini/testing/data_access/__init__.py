"""The contract of the data access layer as a suite of tests: a package that brings a backend runs it in its own tests.

```python
class TestMine(DataAccessContract, testtools.TestCase):
    def open_data_access(self, event_rules=no_events):
        return MyBackend(..., event_rules)
```
"""

from glance_mini.testing.data_access.bases import BaseContract
from glance_mini.testing.data_access.cache import CacheContract
from glance_mini.testing.data_access.claims import ClaimContract
from glance_mini.testing.data_access.concurrency import ConcurrencyContract
from glance_mini.testing.data_access.event_log import EventLogContract
from glance_mini.testing.data_access.images import ImageContract
from glance_mini.testing.data_access.imports import ImportContract, ImportLockContract
from glance_mini.testing.data_access.issued_tokens import IssuedTokenContract
from glance_mini.testing.data_access.jobs import JobContract, JobListContract
from glance_mini.testing.data_access.links import LinkContract
from glance_mini.testing.data_access.lists import ListContract
from glance_mini.testing.data_access.members import MemberContract
from glance_mini.testing.data_access.metadef_concurrency import MetadefConcurrencyContract
from glance_mini.testing.data_access.metadef_enforcement import RequiredPropertyContract
from glance_mini.testing.data_access.metadef_loading import MetadefLoadingContract
from glance_mini.testing.data_access.metadef_parts import MetadefPartContract
from glance_mini.testing.data_access.metadefs import NamespaceContract
from glance_mini.testing.data_access.migration import TakeOverContract
from glance_mini.testing.data_access.once import OnceContract
from glance_mini.testing.data_access.outbox import OutboxContract
from glance_mini.testing.data_access.quota import QuotaContract
from glance_mini.testing.data_access.seen import SeenContract
from glance_mini.testing.data_access.staging import StagingContract
from glance_mini.testing.data_access.transfers import TransferContract
from glance_mini.testing.data_access.trash import TrashContract
from glance_mini.testing.data_access.upload_sessions import UploadSessionContract
from glance_mini.testing.data_access.verification import VerificationContract

__all__ = [
    "CacheContract",
    "DataAccessContract",
    "JobAccessContract",
    "MetadefContract",
    "RecordContract",
    "TakeOverContract",
]


class RecordContract(
    ImageContract,
    SeenContract,
    ListContract,
    MemberContract,
    LinkContract,
    IssuedTokenContract,
    TransferContract,
    UploadSessionContract,
    QuotaContract,
    ConcurrencyContract,
    OnceContract,
):
    """The calls about images, their members, links, issued tokens, transfers and upload sessions."""


class JobAccessContract(
    JobContract,
    JobListContract,
    ClaimContract,
    StagingContract,
    ImportLockContract,
    ImportContract,
    TrashContract,
    BaseContract,
    OutboxContract,
    EventLogContract,
    VerificationContract,
):
    """The calls about jobs, staging, imports, the trash, incremental images, both logs of events, and verification."""


class MetadefContract(
    NamespaceContract,
    MetadefPartContract,
    MetadefConcurrencyContract,
    RequiredPropertyContract,
    MetadefLoadingContract,
):
    """The calls about metadata definitions."""


class DataAccessContract(RecordContract, JobAccessContract, MetadefContract, CacheContract, TakeOverContract):
    """The whole contract. Mix into a ``testtools.TestCase`` and give it ``open_data_access``."""
