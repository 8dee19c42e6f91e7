"""The rules of the ``swift`` driver that need no Swift: references, containers, segments."""

import hashlib
import hmac
import os
from types import SimpleNamespace

import fixtures
import testtools

from glance_mini_store import errors
from glance_mini_store.drivers.swift import SwiftDriver
from glance_mini_store.drivers.swift.accounts import AuthSettings
from glance_mini_store.drivers.swift.credentials import from_options, guess_version, read_references
from glance_mini_store.drivers.swift.objects import Place
from glance_mini_store.drivers.swift.options import OPTIONS
from glance_mini_store.drivers.swift.segments import MIB, SegmentSizes
from glance_mini_store.drivers.swift.single_tenant import Containers
from glance_mini_store.drivers.swift.source import PIECE, Source
from glance_mini_store.drivers.swift.temp_urls import TempUrls

ID = "fdae39a1-bac5-4238-aba4-69bcc726e848"
GIB = 1024 * MIB


KEYSTONE = {"swift_store_auth_address": "http://h/v3", "swift_store_user": "p:u"}


class TestTempUrls(testtools.TestCase):
    def place(self, name, storage_url="http://10.0.0.1:8080/v1/AUTH_a"):
        account = SimpleNamespace(storage_url=storage_url)
        return Place(None, account, "images", name, "swift+config://ref1/images/x")

    def signature(self, key, path, expires=160):
        return hmac.new(key, f"GET\n{expires}\n{path}".encode(), hashlib.sha256).hexdigest()

    def test_url_has_the_path_its_end_and_a_signature_of_both(self):
        url = TempUrls("key", clock=lambda: 100.9).url(self.place("x"), 60)
        signature = self.signature(b"key", "/v1/AUTH_a/images/x")
        expected = f"http://10.0.0.1:8080/v1/AUTH_a/images/x?temp_url_sig={signature}&temp_url_expires=160"
        self.assertEqual(expected, url)

    def test_signed_is_the_path_as_swift_decodes_it(self):
        url = TempUrls("key", clock=lambda: 100).url(self.place("a b/ü", "http://h/v1/AUTH%5Fa/"), 60)
        self.assertIn("/v1/AUTH%5Fa/images/a%20b/%C3%BC?", url)
        self.assertIn(self.signature(b"key", "/v1/AUTH_a/images/a b/ü"), url)

    def test_clients_are_sent_to_the_address_for_them(self):
        urls = TempUrls("key", "https://swift.example.org", clock=lambda: 100)
        self.assertTrue(urls.url(self.place("x"), 60).startswith("https://swift.example.org/v1/AUTH_a/images/x?"))

    def test_key_is_in_no_text(self):
        self.assertNotIn("hidden", repr(TempUrls("hidden")))

    def refusal(self, **values):
        settings = {option.dest: option.default for option in OPTIONS}
        account = {"swift_store_auth_address": "http://h/auth/v1.0", "swift_store_user": "a:b", "swift_store_key": "k"}
        settings |= account | {"swift_store_temp_url_key": "hidden"} | values
        make = lambda: SwiftDriver.from_config(SimpleNamespace(**settings), "images")  # noqa: E731
        return str(self.assertRaises(errors.BadStoreConfiguration, make))

    def test_store_that_cannot_have_temporary_urls_is_refused(self):
        self.assertIn("swift_store_temp_url_key", self.refusal(swift_store_multi_tenant=True, **KEYSTONE))
        for address in ("swift.example.org", "ftp://h", "https://h/v1", "https://u:p@h", "https://"):
            self.assertIn("swift_store_public_url", self.refusal(swift_store_public_url=address))


class TestReferences(testtools.TestCase):
    def read(self, text):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, "swift.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return read_references(path)

    def refusal(self, text):
        return str(self.assertRaises(errors.BadStoreConfiguration, self.read, text))

    def test_a_section_is_a_reference(self):
        found = self.read(
            "[ref1]\nauth_address = https://keystone/v3\nuser = service:glance\nkey = pa%ss\n"
            "project_domain_name = Cloud\n"
            "[old]\nauth_address = host/auth/v1.0\nuser = test:tester\nkey = k\n"
            "[app]\nauth_address = https://keystone/v3\napplication_credential_id = i\n"
            "application_credential_secret = s\n"
        )
        new, old, application = found["ref1"], found["old"], found["app"]
        self.assertEqual((3, ("service", "glance"), "pa%ss"), (new.version, new.project_and_user, new.key))
        self.assertEqual(("default", None), (new.user_domain_id, new.user_domain_name))
        self.assertEqual((None, "Cloud"), (new.project_domain_id, new.project_domain_name))
        self.assertEqual((1, "https://host/auth/v1.0", "test:tester"), (old.version, old.address, old.user))
        self.assertEqual(
            (3, "i", "s"), (application.version, application.application_id, application.application_secret)
        )

    def test_no_secret_is_in_a_text(self):
        found = self.read(
            "[r]\nauth_address = a\nuser = p:u\nkey = hidden\n[s]\nauth_address = a\n"
            "application_credential_id = i\napplication_credential_secret = hidden\n"
        )
        self.assertNotIn("hidden", repr(found))

    def test_what_is_missing_is_named(self):
        application = "application_credential_id = i\n"
        table = {
            "[r]\nuser = p:u\nkey = hidden\n": "section r of .* has no auth_address",
            "[r]\nauth_address = a\nuser = p:u\n": "needs a user and a key",
            "[r]\nauth_address = a\nuser = u\nkey = hidden\n": "must be project:user",
            "[r]\nauth_address = a\nauth_version = 2\nuser = p:u\nkey = hidden\n": "must be 1 or 3",
            f"[r]\nauth_address = a\n{application}": "has no secret",
            f"[r]\nauth_address = a/v1\n{application}application_credential_secret = hidden\n": "need version 3",
            "key = hidden\n": "is not an INI file",
        }
        for text, reason in table.items():
            found = self.refusal(text)
            self.assertRegex(found, reason)
            self.assertNotIn("hidden", found)

    def test_a_missing_file_is_named(self):
        error = self.assertRaises(errors.BadStoreConfiguration, read_references, "/nowhere/swift.conf")
        self.assertIn("/nowhere/swift.conf: No such file", str(error))

    def test_options_alone_may_hold_the_credentials(self):
        settings = SimpleNamespace(**{option.dest: option.default for option in OPTIONS})
        self.assertIsNone(from_options(settings))
        settings.swift_store_auth_address = "https://keystone/v3"
        self.assertRaises(errors.BadStoreConfiguration, from_options, settings)
        settings.swift_store_user, settings.swift_store_key = "service:glance", "k"
        self.assertEqual(("service", "glance"), from_options(settings).project_and_user)

    def test_the_version_follows_from_the_path(self):
        table = {"http://h/auth/v1.0": 1, "http://h/v1/": 1, "https://h:5000/v3": 3, "https://h/identity": 3, "h": 3}
        self.assertEqual(table, {address: guess_version(address) for address in table})


class TestContainers(testtools.TestCase):
    def test_hyphens_stay_and_do_not_count(self):
        table = {0: "glance", 3: "glance_fda", 8: "glance_fdae39a1", 10: "glance_fdae39a1-ba", 32: f"glance_{ID}"}
        self.assertEqual(table, {seed: Containers("glance", seed).of(ID) for seed in table})

    def test_a_short_name_is_no_error(self):
        self.assertEqual("glance_ab", Containers("glance", 9).of("ab"))


class TestEndpoints(testtools.TestCase):
    def test_the_project_has_its_place(self):
        for place in ("$(project_id)s", "%(tenant_id)s"):
            settings = AuthSettings(endpoint=f"https://swift/v1/AUTH_{place}/")
            self.assertEqual(("https://swift/v1/AUTH_p1", True), (settings.own_url("p1"), settings.is_template))
        fixed = AuthSettings(endpoint="https://swift/v1/AUTH_x")
        self.assertEqual(("https://swift/v1/AUTH_x", False), (fixed.own_url("p1"), fixed.is_template))
        self.assertEqual((None, False), (AuthSettings().own_url("p1"), AuthSettings().is_template))


class TestSegments(testtools.TestCase):
    sizes = SegmentSizes(200 * MIB)

    def test_data_of_known_size_fits_into_one_manifest(self):
        for total in (1, 200 * MIB, 200 * GIB, 1000 * GIB, 5000 * GIB):
            size = self.sizes.size(0, total)
            self.assertLessEqual(-(-total // size), 1000)
            self.assertLessEqual(200 * MIB, size)
            self.assertLessEqual(size, 5 * GIB)

    def test_segments_of_data_of_unknown_size_grow(self):
        found = [self.sizes.size(number, None) // MIB for number in (0, 249, 250, 500, 750, 999)]
        self.assertEqual([200, 200, 400, 800, 1600, 1600], found)
        self.assertEqual(250 * 3000 * MIB, self.sizes.limit)

    def test_no_segment_is_larger_than_an_object(self):
        self.assertEqual(3 * MIB, SegmentSizes(2 * MIB, 3 * MIB, 4).size(3, None))


class TestSource(testtools.TestCase):
    def test_chunks_are_cut_into_pieces_and_at_the_end_of_a_segment(self):
        data = os.urandom(3 * PIECE + 5)
        source = Source([data[:10], b"", data[10:]])
        first = [bytes(piece) for piece in source.take(PIECE + 20)]
        self.assertEqual((data[: PIECE + 20], PIECE + 20), (b"".join(first), source.received))
        rest = [bytes(piece) for piece in source.take(10 * PIECE)]
        self.assertEqual((data[PIECE + 20 :], True), (b"".join(rest), source.is_empty()))
        self.assertLessEqual(max(map(len, first + rest)), PIECE)

    def test_data_that_is_not_as_long_as_announced_is_refused(self):
        for size in (9, 11):
            self.assertRaises(errors.SizeMismatch, list, Source([b"01234", b"56789"]).take_all(size))
        self.assertEqual(b"0123456789", b"".join(Source([b"01234", b"56789"]).take_all(10)))

    def test_the_last_piece_comes_when_the_end_is_known(self):
        taken = []

        def chunks():
            yield b"01234"
            taken.append("all")

        pieces = Source(chunks()).take_all(5)
        self.assertEqual((b"01234", ["all"]), (bytes(next(pieces)), taken))

    def test_the_failure_of_the_chunks_is_kept(self):
        def chunks():
            yield b"0"
            raise OSError("cut")

        source = Source(chunks())
        failure = self.assertRaises(OSError, list, source.take(9))
        self.assertIs(failure, source.failure)
