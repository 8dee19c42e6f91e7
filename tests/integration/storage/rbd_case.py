"""What the tests of the rbd store share: pools of the class, a driver on them, the service and a client of it."""

from collections.abc import Iterable
from typing import Any, ClassVar

import requests

from glance_mini_store.drivers.rbd import RbdDriver
from tests.integration.base import ServiceTestCase
from tests.integration.served import Served
from tests.integration.storage.ceph import Pools, require_modules

MIB = 1024 * 1024


def configuration(pools: Pools, **options: object) -> str:
    """Return what makes ``ceph`` the default store, on these pools; leases are short."""
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    return f"""
[DEFAULT]
enabled_backends = images:file,ceph:rbd
show_image_direct_url = true
[glance_store]
default_backend = ceph
[transfers]
lease_seconds = 3
reaper_interval = 1
[ceph]
rbd_store_pool = {pools.name}
rbd_store_user = {pools.name}
rbd_store_ceph_conf = {pools.user_conf}
{lines}"""


class Images:
    """The images of the user ``alice``, by HTTP; an image is its address."""

    def __init__(self, service: Served) -> None:
        self.http = requests.Session()
        self.http.headers["X-Auth-Token"] = service.tokens["alice"]
        self._service = service

    def create(self) -> str:
        """Return a new image."""
        body = {"disk_format": "raw", "container_format": "bare"}
        answer = self.http.post(f"{self._service.url}/v2/images", json=body, timeout=60)
        return f"{self._service.url}{answer.json()['self']}"

    def upload(self, image: str, data: bytes | Iterable[bytes]) -> requests.Response:
        """Return the answer to an upload; the length of an iterable is not announced."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.http.put(f"{image}/file", data=data, headers=headers, timeout=60)

    def download(self, image: str, **options: Any) -> requests.Response:
        """Return the answer to a download."""
        return self.http.get(f"{image}/file", timeout=60, **options)

    def show(self, image: str) -> dict[str, Any]:
        """Return the image's record."""
        shown: dict[str, Any] = self.http.get(image, timeout=60).json()
        return shown

    def delete(self, image: str) -> int:
        """Return the status of the answer to a deletion."""
        return self.http.delete(image, timeout=60).status_code


class RbdTestCase(ServiceTestCase):
    """A test with pools that its class has for itself, empty at the start of each test."""

    pools: ClassVar[Pools | None] = None

    def setUp(self) -> None:
        conf = self.service("ceph")["TEST_RBD_CONF"]
        require_modules(self)
        kind = type(self)
        if kind.pools is None:
            kind.pools = Pools(conf)
            kind.pools.setUp()
        self.ceph = kind.pools
        self.ceph.empty()
        super().setUp()

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.pools is not None:
            cls.pools.cleanUp()
        super().tearDownClass()


class DriverTestCase(RbdTestCase):
    """A test with a driver on the pools."""

    def setUp(self) -> None:
        super().setUp()
        self.driver = self.new_driver()

    def new_driver(self, **values: object) -> RbdDriver:
        driver = self.ceph.driver(**values)
        self.addCleanup(driver.close)
        return driver

    def content(self, location: str) -> bytes:
        return b"".join(self.driver.read(location))
