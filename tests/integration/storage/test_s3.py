"""The driver contract of ``s3`` on two real services: Swift's S3 API and Ceph's object gateway."""

from glance_mini_store.testing import DriverContract
from tests.integration.base import ServiceTestCase
from tests.integration.storage import s3_buckets
from tests.integration.storage.s3_buckets import MIB


class S3TestCase(ServiceTestCase):
    """A test with a bucket of its own in ``service_name``."""

    service_name: str

    def setUp(self):
        self.variables = self.service(self.service_name)
        self.client = s3_buckets.client_for(self.variables)
        self.addCleanup(self.client.close)
        self.bucket = s3_buckets.new_bucket_name()
        self.client.create_bucket(Bucket=self.bucket)
        self.addCleanup(s3_buckets.remove_bucket, self.client, self.bucket)
        super().setUp()

    def driver_for(self, **options):
        """Return a driver for the bucket."""
        driver = s3_buckets.driver_with(**s3_buckets.options_for(self.variables, self.bucket, **options))
        self.addCleanup(driver.close)
        return driver

    def leftovers(self):
        """Return all that is in the bucket, readable or not."""
        objects = [f"object {key}" for key in s3_buckets.keys_in(self.client, self.bucket)]
        return objects + [f"upload {key}" for key in s3_buckets.uploads_in(self.client, self.bucket)]


class _Contract(S3TestCase, DriverContract):
    def make_driver(self):
        return self.driver_for()


class _ContractInParts(S3TestCase, DriverContract):
    """Everything is sent in parts."""

    def make_driver(self):
        return self.driver_for(s3_store_large_object_size=1, s3_store_large_object_chunk_size=5 * MIB)
