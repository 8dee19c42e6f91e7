"""Where the service may fetch from, and how URLs try to get around that."""

import testtools

from glance_mini import conf
from glance_mini.domain.errors import ConfigurationError
from glance_mini.fetching.uri_filter import Choice, UriFilter
from glance_mini_store.errors import AddressRefused, HostUnknown

PUBLIC = "198.41.0.4"


def answer(*addresses):
    """Return a resolver that gives these addresses for every name."""
    return lambda host, port: list(addresses)


def fail(host, port):
    raise OSError("no such name")


class TestUriFilter(testtools.TestCase):
    def refusal(self, url, **values):
        """Return the text with which ``url`` is refused."""
        uri_filter = UriFilter(**{"resolver": answer(PUBLIC), **values})
        return str(self.assertRaises(AddressRefused, uri_filter.check, url))

    def check(self, url, **values):
        return UriFilter(**{"resolver": answer(PUBLIC), **values}).check(url)

    def test_a_public_name_passes_with_the_addresses_to_connect_to(self):
        target = self.check("HTTPS://Cloud.Example.ORG./a%20b/ü?x=1#part")

        self.assertEqual(("https", "cloud.example.org", 443, (PUBLIC,)), (*target.origin, target.addresses))
        self.assertEqual("/a%20b/%C3%BC?x=1", target.path)
        self.assertEqual("cloud.example.org", target.host_header)

    def test_the_host_header_names_a_port_that_is_not_the_usual_one(self):
        self.assertEqual("[2a00::1]:443", self.check("http://[2A00::1]:443/").host_header)

    def test_only_schemes_of_the_web_pass(self):
        for url in ("file:///etc/passwd", "ftp://h/x", "gopher://h/", "//h/x", "h/x", "", "swift+http://h/"):
            self.assertIn("does not pass filtering", self.refusal(url))
        self.assertIn("'ftp'", self.refusal("ftp://h/", schemes=Choice(("ftp", "http"))))
        self.assertIn("'http'", self.refusal("http://h/", schemes=Choice((), ("http",))))

    def test_ports_are_looked_at_only_where_the_url_names_one(self):
        only_8080 = Choice((8080,))
        self.assertEqual(80, self.check("http://h/", ports=only_8080).port)
        self.assertEqual(8080, self.check("http://h:8080/", ports=only_8080).port)
        self.assertIn("port 22 of host h", self.refusal("http://h:22/"))
        self.assertIn("port 80 of host h", self.refusal("http://h:80/", ports=Choice((), (80,))))
        self.assertEqual(22, self.check("http://h:22/", ports=Choice((), (80,))).port)
        for url in ("http://h:99999/", "http://h:a/", "http://h:-1/"):
            self.refusal(url)

    def test_of_two_lists_only_the_allowed_one_counts(self):
        self.assertEqual(80, self.check("http://h:80/", ports=Choice((80,), (80,))).port)
        self.check("http://h/", allowed_hosts=["h"], disallowed_hosts=["h"])

    def test_addresses_that_are_not_public_are_refused(self):
        for address in (
            *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0"),
            *("224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
            *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1"),
            *("::ffff:127.0.0.1", "::ffff:a00:1", "64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "2002:7f00:1::"),
            *("64:ff9b:1::1", "::127.0.0.1"),
        ):
            self.assertIn("host h is not at a public address", self.refusal("http://h/", resolver=answer(address)))
            literal = f"[{address}]" if ":" in address else address
            self.assertIn("is not at a public address", self.refusal(f"http://{literal}/"))

    def test_of_good_and_bad_addresses_only_the_good_ones_are_used(self):
        mixed = answer("10.0.0.1", PUBLIC, "::1", "2a00:1450::1")
        self.assertEqual((PUBLIC, "2a00:1450::1"), self.check("http://h/", resolver=mixed).addresses)
        values = {"resolver": answer(PUBLIC, "198.41.0.5"), "disallowed_hosts": [PUBLIC]}
        self.assertEqual(("198.41.0.5",), self.check("http://h/", **values).addresses)
        values = {"resolver": answer("10.1.2.3", "10.1.2.4"), "allowed_hosts": ["10.1.2.4"]}
        self.assertEqual(("10.1.2.4",), self.check("http://h/", **values).addresses)

    def test_a_name_with_bad_addresses_only_is_refused(self):
        self.assertIn("public", self.refusal("http://h/", resolver=answer("10.0.0.1", "::1")))

    def test_a_name_that_only_a_proxy_can_resolve_is_judged_by_the_lists_of_names(self):
        unknown = {"resolver": fail}
        self.assertEqual((), UriFilter(**unknown).check("http://h/", by_proxy=True).addresses)
        self.assertEqual((), UriFilter(allowed_hosts=["h"], **unknown).check("http://h/", by_proxy=True).addresses)
        for lists in ({"allowed_hosts": ["0.0.0.0/0"]}, {"disallowed_hosts": ["h"]}):
            self.assertRaises(AddressRefused, UriFilter(**lists, **unknown).check, "http://h/", by_proxy=True)
        bad = UriFilter(resolver=answer("10.0.0.1"))
        self.assertRaises(AddressRefused, bad.check, "http://h/", by_proxy=True)

    def test_a_refusal_does_not_tell_what_a_name_resolves_to(self):
        self.assertNotIn("10.0.0.1", self.refusal("http://h/", resolver=answer("10.0.0.1")))

    def test_public_addresses_pass_in_every_form_that_is_usual(self):
        for written, host in (
            (PUBLIC, PUBLIC),
            ("[2a00:1450::1]", "2a00:1450::1"),
            (f"[::ffff:{PUBLIC}]", PUBLIC),
            (f"{PUBLIC}.", PUBLIC),
        ):
            self.assertEqual((host,), self.check(f"http://{written}/", resolver=fail).addresses)
        self.check("http://h/", resolver=answer(f"64:ff9b::{PUBLIC}"))

    def test_encoded_addresses_are_refused_whatever_they_stand_for(self):
        for host in (
            *("2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.1", "017700000001"),
            *("3324575748", "0xC6290004", "198.41.4", "0306.051.0.4", "1.2.3.256", "0x", "h.1", "[::1", "[127.0.0.1]"),
        ):
            self.assertIn("does not pass filtering", self.refusal(f"http://{host}/"), host)
        self.assertIn("host 0x7f.1 ", self.refusal("http://0x7f.1/"))
        self.assertIn("host 2130706433 ", self.refusal("http://2130706433/"))

    def test_letters_that_look_like_digits_and_dots_are_read_as_what_they_stand_for(self):
        for host in ("１２７.０.０.１", "127。0。0。1", "①27.0.0.1"):
            self.assertIn("public", self.refusal(f"http://{host}/"))

    def test_strange_letters_are_refused(self):
        for url in (
            *("http://h\\@evil/", "http://h\r\nX: y/", "http://h /", "http://a%2eb/", "http://a..b/", "http://-a/"),
            *("http://h\x00/", f"http://{'a' * 254}/", f"http://h/{'a' * 9000}", "http://:80/", "http:///x"),
        ):
            self.assertIn("does not pass filtering", self.refusal(url))

    def test_a_url_with_a_password_is_refused_and_not_shown(self):
        for url in ("http://user:secret@h/", "http://secret@h/", "http://127.0.0.1:secret@h/"):
            text = self.refusal(url)
            self.assertIn("user name or password", text)
            self.assertNotIn("secret", text)

    def test_no_refusal_shows_path_or_query(self):
        self.assertNotIn("secret", self.refusal("http://10.0.0.1/secret?key=secret"))

    def test_a_name_that_does_not_resolve_is_refused_as_such(self):
        uri_filter = UriFilter(resolver=fail)
        self.assertIn("host h cannot", str(self.assertRaises(HostUnknown, uri_filter.check, "http://h/")))
        self.assertRaises(HostUnknown, UriFilter(resolver=answer()).check, "http://h/")

    def test_a_listed_private_host_passes_and_shuts_the_others_out(self):
        for entry, host in (
            *(("10.1.2.3", "10.1.2.3"), ("10.0.0.0/8", "10.1.2.3"), ("mirror.corp", "mirror.corp"), ("[::1]", "[::1]")),
            *(("::ffff:10.1.2.3", "10.1.2.3"), ("fd00::/8", "[fd00::5]"), ("Mirror.Corp.", "MIRROR.corp.")),
        ):
            values = {"allowed_hosts": [entry], "resolver": answer("10.1.2.3")}
            self.check(f"http://{host}/", **values)
            self.assertIn("not among those", self.refusal(f"http://{PUBLIC}/", **values))
            self.assertIn("not among those", self.refusal("http://192.168.0.1/", **values))

    def test_a_network_of_the_whole_internet_lets_nothing_private_in(self):
        values = {"allowed_hosts": ["0.0.0.0/0", "::/0", "10.1.2.3"]}
        self.check("http://h/", **values)
        self.check("http://10.1.2.3/", **values)
        for host in ("10.1.2.4", "127.0.0.1", "[::1]"):
            self.assertIn("not at a public", self.refusal(f"http://{host}/", **values))

    def test_disallowed_hosts_are_names_addresses_and_networks(self):
        for entry in ("h", PUBLIC, "198.41.0.0/16", f"::ffff:{PUBLIC}"):
            self.assertIn("host h is not allowed", self.refusal("http://h/", disallowed_hosts=[entry]))
        self.check("http://h/", disallowed_hosts=["other", "8.8.8.8"])

    def test_a_network_that_is_none_stops_the_start(self):
        self.assertRaises(ConfigurationError, UriFilter, allowed_hosts=["10.0.0.0/33"])

    def test_the_lists_come_from_the_configuration(self):
        configuration = conf.load()
        configuration.set_override("allowed_hosts", ["10.1.2.3"], "import_filtering_opts")
        configuration.set_override("allowed_ports", [9292], "import_filtering_opts")
        uri_filter = UriFilter.from_config(configuration)

        self.assertEqual(9292, uri_filter.check("http://10.1.2.3:9292/").port)
        self.assertRaises(AddressRefused, uri_filter.check, "http://10.1.2.3:80/")
        self.assertRaises(AddressRefused, uri_filter.check, "http://10.1.2.4/")
