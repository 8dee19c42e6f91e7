"""What is shown of a location never holds a credential, whatever the text looks like."""

from hypothesis import given
from hypothesis import strategies as st
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.location import redact
from tests.unit.store.properties import UNTIMED

SHOWN = {
    "file:///var/images/abc": "file://***/abc",
    "filesystem:///var/images/abc?key=SECRET": "filesystem://***/abc",
    "http://user:secret@host:8080/path?token=secret#secret": "http://host:8080/path",
    "http://host/path?mail=a@b&token=secret": "http://***",
    "http://user:se?cret@host/path": "http://***",
    "http://user:sec:ret@host/path": "http://host/path",
    "https://[2001:db8::1]:8443/a": "https://[2001:db8::1]:8443/a",
    "s3+https://access:se/cret@host/bucket/key": "s3+https://host/bucket/key",
    "s3://access:secret/bucket/key": "s3://***",
    "swift://acc%3Auser:secret@http://user:secret@host/c/o": "swift://host/c/o",
    "swift+config://ref1/container/object": "swift+config://ref1/container/object",
    "sheepdog://127.0.0.1:7000:image": "sheepdog://127.0.0.1:7000:image",
    "vsphere://server/folder/a/b?dcPath=dc&dsName=ds": "vsphere://server/folder/a/b",
    "user:secret@host": "host",
    "user:secret": "***",
    "http://host/a\r\nforged log line": "http://host/a??forged log line",
    "": "",
}


class TestRedaction(TestCase):
    def test_every_form_is_shown_without_credentials(self) -> None:
        self.assertEqual(SHOWN, {uri: redact(uri) for uri in SHOWN})

    def test_text_is_bounded(self) -> None:
        self.assertEqual(300, len(redact("file:///" + 10_000 * "x")))

    @UNTIMED
    @given(st.text(alphabet="abc:/@?#%+. ", max_size=12), st.sampled_from(["http", "s3", "swift", "swift+http"]))
    def test_no_user_information_survives_whatever_stands_around_it(self, around: str, scheme: str) -> None:
        self.assertNotIn("SECRET", redact(f"{scheme}://user:SECRET{around}@host/bucket/key"))
        self.assertNotIn("SECRET", redact(f"{scheme}://user{around}:SECRET@host/bucket/key"))

    def test_location_in_an_error_is_redacted(self) -> None:
        error = errors.BadStoreUri(location="http://user:secret@host/", reason="of a test")
        self.assertEqual("bad location http://host/: of a test", str(error))
        self.assertNotIn("secret", repr(error) + repr(error.values))
