"""The driver contract of ``s3`` on two real services: Swift's S3 API and Ceph's object gateway."""

from glance_mini_store.testing import DriverContract
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


class TestCephGateway(_Contract, S3TestCase):
    service_name = "radosgw"


class TestCephGatewayInParts(_ContractInParts, S3TestCase):
    service_name = "radosgw"


class TestSwift(_Contract, S3TestCase):
    service_name = "swift"


class TestSwiftInParts(_ContractInParts, S3TestCase):
    service_name = "swift"
