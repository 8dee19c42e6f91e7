"""The contract of a storage driver as tests: mix ``DriverContract`` into a TestCase and create the driver.

    class TestFile(DriverContract, TestCase):
        def make_driver(self):
            return FileDriver(directory=self.useFixture(TempDir()).path)

The test case of a driver that cannot write also overrides ``put`` and ``missing_location``. Tests of
capabilities that a driver lacks are skipped.
"""

from glance_mini_store.testing.addresses import AddressTests
from glance_mini_store.testing.description import DescriptionTests
from glance_mini_store.testing.drafts import DraftTests
from glance_mini_store.testing.local_files import LocalFileTests
from glance_mini_store.testing.reading import ReadingTests
from glance_mini_store.testing.removing import RemovingTests
from glance_mini_store.testing.writing import WritingTests


class DriverContract(
    DescriptionTests, AddressTests, DraftTests, ReadingTests, WritingTests, LocalFileTests, RemovingTests
):
    """Tests that every driver must pass; ``self.driver`` is the driver, ``self.store`` a Store around it."""
