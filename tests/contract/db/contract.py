"""The whole contract of the data access interface; an implementation's test is this and a constructor."""

from tests.contract.db.concurrency import ConcurrencyContract
from tests.contract.db.images import ImageContract
from tests.contract.db.lists import ListContract
from tests.contract.db.members import MemberContract
from tests.contract.db.quota import QuotaContract
from tests.contract.db.transfers import TransferContract


class DataAccessContract(
    ImageContract, ListContract, MemberContract, TransferContract, QuotaContract, ConcurrencyContract
):
    """Mix into a ``testtools.TestCase`` and give it ``open_data_access``."""
