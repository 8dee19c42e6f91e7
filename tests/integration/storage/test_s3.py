"""The driver contract of ``s3`` on two real services: Swift's S3 API and Ceph's object gateway."""

from glance_mini_store import capabilities, errors
from glance_mini_store.testing import DriverContract
from glance_mini_store.testing.content import new_name
from tests.integration.storage.s3_buckets import MIB, S3TestCase


class _Contract(DriverContract):
    def make_driver(self):
        return self.driver_for()

    def leftovers(self):
        return self.left_in_bucket()


class _ContractInParts(_Contract):
    """Everything but empty data is sent in parts."""

    def make_driver(self):
        return self.driver_for(s3_store_large_object_size=1, s3_store_large_object_chunk_size=5 * MIB)


class _ObeysUnsignedHeaders:
    """Ceph's gateway would copy any object for who has an address for an upload, so the driver gives none."""

    service_name = "radosgw"

    def needs(self, *wanted):
        if capabilities.UPLOAD in wanted:
            self.assertRaises(errors.StoreAddDisabled, self.driver.presigned_upload, new_name(), 60, 6)
            self.assertEqual([], self.left_in_bucket())
            self.skipTest("the gateway obeys headers that are not signed")
        super().needs(*wanted)


class TestCephGateway(_ObeysUnsignedHeaders, _Contract, S3TestCase):
    pass


class TestCephGatewayInParts(_ObeysUnsignedHeaders, _ContractInParts, S3TestCase):
    pass


class TestSwift(_Contract, S3TestCase):
    service_name = "swift"


class TestSwiftInParts(_ContractInParts, S3TestCase):
    service_name = "swift"
