"""The http driver keeps the driver contract on servers with and without ranges."""

from testtools import TestCase

from glance_mini_store.driver import Driver
from glance_mini_store.drivers.http import HttpDriver
from glance_mini_store.testing import DriverContract
from tests.unit.store.web import Page, WebServer


class TestHttp(DriverContract, TestCase):
    ranges = True

    def make_driver(self) -> Driver:
        self.web = self.useFixture(WebServer())
        return HttpDriver()

    def put(self, name: str, data: bytes) -> str:
        self.web.pages[f"/{name}"] = Page(data, ranges=self.ranges)
        return self.web.url(f"/{name}")

    def missing_location(self) -> str:
        return self.web.url("/nothing/here")


class TestHttpWithoutRanges(TestHttp):
    ranges = False
