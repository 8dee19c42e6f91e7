"""What ``glance-mini serve`` tells users about its address."""

import testtools

from glance_mini.cmd.start import endpoint_of


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
        self.assertEqual(list(addresses.values()), [endpoint_of(*key) for key in addresses])
