"""What ``glance-mini serve`` tells users about its address."""

import re

import testtools

from glance_mini.api.routes import ROUTES
from glance_mini.cmd.start import TRANSFERS
from glance_mini.conf.server import local_endpoint

UPLOADS = {"upload_data", "stage_data"}


class EndpointTest(testtools.TestCase):
    def test_address_is_one_that_programs_on_this_machine_can_use(self):
        addresses = {
            ("127.0.0.1:9292", False): "http://127.0.0.1:9292",
            ("127.0.0.1:9292", True): "https://127.0.0.1:9292",
            ("0.0.0.0:80", False): "http://127.0.0.1:80",
            ("[::]:9292", False): "http://[::1]:9292",
            ("[fd00::7]:9292", True): "https://[fd00::7]:9292",
            ("images.example.org:443", True): "https://images.example.org:443",
        }
        self.assertEqual(list(addresses.values()), [local_endpoint(*key) for key in addresses])


class TransfersTest(testtools.TestCase):
    def test_bodies_of_uploads_are_streamed_and_those_of_other_calls_are_not(self):
        for route in ROUTES:
            for method, action in route.actions.items():
                for id_ in ("{image_id}", "file", "x y"):
                    target = f"{method} {route.path.replace('{image_id}', id_)}"
                    is_streamed = re.fullmatch(TRANSFERS, target) is not None
                    self.assertIs(action.name in UPLOADS, is_streamed, target)

    def test_path_may_name_a_minor_version_or_none(self):
        for path, expected in {
            "/v2.15/images/x/stage": True,
            "/images/x/file": True,
            "/v2/images/x/members/file": False,
            "/v2/images/x/tags/stage": False,
            "/v2/images/file": False,
            "/v2/images//file": False,
            "/v2/images/x/file\n": False,
        }.items():
            self.assertIs(expected, re.fullmatch(TRANSFERS, f"PUT {path}", re.DOTALL) is not None, path)
