"""The URI grammars of all schemes: what is taken apart, what is put together again, what is refused."""

from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.location import get_location_from_uri
from tests.unit.store.properties import UNTIMED

VOLUME = "8f8b9a10-6a4b-4d1e-9f1c-0d6a4a6f7c11"

PARTS: dict[str, dict[str, Any]] = {
    "file:///var/lib/glance/images/abc": {"path": "/var/lib/glance/images/abc"},
    "file:///a b/100%25": {"path": "/a b/100%25"},
    "http://host": {"netloc": "host", "path": "", "query": None, "user": None},
    "http://host/?": {"path": "/", "query": ""},
    "https://u:p@host:8443/a/b?x=1&y=a/b": {
        "user": "u",
        "password": "p",
        "netloc": "host:8443",
        "path": "/a/b",
        "query": "x=1&y=a/b",
    },
    "http://[::1]:80/a": {"netloc": "[::1]:80"},
    "http://[2001:db8::1]/a": {"netloc": "[2001:db8::1]"},
    "swift://u:k@auth/v3/c/o": {"user": "u", "key": "k", "auth_or_store_url": "auth/v3", "container": "c", "obj": "o"},
    "swift+http://acc%3Au:k%2Fk%40@auth:5000/c/o": {
        "user": "acc:u",
        "key": "k/k@",
        "auth_or_store_url": "auth:5000",
        "swift_url": "http://auth:5000",
    },
    "swift+https://host/v1/AUTH_x/c/o": {"user": None, "swift_url": "https://host/v1/AUTH_x"},
    "swift+config://ref1/c/o": {"auth_or_store_url": "ref1", "swift_url": "ref1", "container": "c", "obj": "o"},
    "s3://host/bucket/key": {"s3serviceurl": "host", "bucket": "bucket", "key": "key", "accesskey": None},
    "s3+http://acc:se/cr+et=@host:8080/path/bucket/key": {
        "accesskey": "acc",
        "secretkey": "se/cr+et=",
        "s3serviceurl": "host:8080/path",
        "bucket": "bucket",
        "key": "key",
    },
    "s3+https://host/b/k": {"scheme": "s3+https"},
    "rbd://image": {"image": "image", "fsid": None, "pool": None, "snapshot": None},
    "rbd://f%2Fs/po%20ol/image/snap": {"fsid": "f/s", "pool": "po ol", "image": "image", "snapshot": "snap"},
    f"cinder://{VOLUME}": {"volume_id": VOLUME, "store_id": None},
    f"cinder://fast/{VOLUME}": {"volume_id": VOLUME, "store_id": "fast"},
    "vsphere://server/folder/openstack_glance/id?dcPath=d%2Fc&dsName=ds+1": {
        "server_host": "server",
        "path": "/folder/openstack_glance/id",
        "datacenter_path": "d/c",
        "datastore_name": "ds 1",
    },
    "vsphere://[::1]:443/folder/a/id?dcPath=dc&dsName=ds": {"server_host": "[::1]:443"},
    "sheepdog://127.0.0.1:7000:image": {"addr": "127.0.0.1", "port": "7000", "image": "image"},
    "sheepdog://image": {"addr": None, "image": "image"},
}
"""URIs that come back as they were, with some of their parts."""

NORMALISED = {
    "filesystem:///a/b": "file:///a/b",
    "http://host/a#fragment": "http://host/a",
    "swift://account:user:key@auth/c/o": "swift://account%3Auser:key@auth/c/o",
}

BAD = [
    "no scheme",
    "file://",
    "file:///a\nb",
    "http://",
    "http:///path",
    "http://:80/path",
    "http://user:SECRET@/path",
    "http://SECRET@host/",
    "http://user:SECRET:x@host/",
    "http://:SECRET@host/",
    "http://host:port/",
    "http://host:+80/",
    "http://host:0/",
    "http://host:65536/",
    "http://host:²/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x:80/",
    "http://ho st/",
    "http://host/a\r\nHost: b",
    "swift://user:SECRET@auth",
    "swift://user:SECRET@auth/object",
    "swift://user:SECRET@/container/object",
    "swift://user:SECRET@auth/c//o",
    "swift://user:SECRET@auth/c/o/",
    "swift://SECRET@auth/c/o",
    "swift://user:@auth/c/o",
    "swift://a:b:c:SECRET@auth/c/o",
    "swift://user:SECRET@http://auth/c/o",
    "swift://user:SECRET@auth/c/o?x",
    "swift+config://ref1/c",
    "swift+config://ref1/more/c/o",
    "swift+config://user:SECRET@ref1/c/o",
    "s3://access:SECRET@bucket/key",
    "s3://access:SECRET@/bucket/key",
    "s3://access:@host/bucket/key",
    "s3://SECRET@host/bucket/key",
    "s3://access:SECRET@s3://host/bucket/key",
    "s3://access:SECRET/bucket/key",
    "rbd://",
    "rbd://pool/image",
    "rbd://fsid/pool/image",
    "rbd://fsid//image/snap",
    "rbd://fsid/pool/image/snap/more",
    "rbd://ïmage",
    "cinder://",
    "cinder://no-volume",
    f"cinder:///{VOLUME}",
    f"cinder://a/b/{VOLUME}",
    f"cinder://{VOLUME.replace('-', '')}",
    "vsphere://server/folder/a/id",
    "vsphere://server/folder/a/id?dcPath=dc",
    "vsphere://server/folder/a/id?dcPath=dc&dsName=a&dsName=b",
    "vsphere://server/other/a/id?dcPath=dc&dsName=ds",
    "vsphere://user:SECRET@server/folder/a/id?dcPath=dc&dsName=ds",
    "vsphere:///folder/a/id?dcPath=dc&dsName=ds",
    "sheepdog://",
    "sheepdog://addr:7000:",
    "sheepdog://addr:port:image",
    "sheepdog://addr:image",
    "sheepdog://a/b",
]

UNKNOWN = ["foreign://x", "HTTP://host/", "://x", "s3+ftp://host/b/k"]

PART = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
WORD = st.from_regex(r"[A-Za-z0-9_.~-]{1,12}", fullmatch=True)
HOST = st.one_of(
    st.from_regex(r"[a-z0-9.-]{1,15}(:[1-9][0-9]{0,3})?", fullmatch=True),
    st.sampled_from(["[::1]", "[2001:db8::1]:8080"]),
)


def put_together(uri: str) -> str:
    """Return what the location made from ``uri`` says its URI is."""
    return get_location_from_uri(uri).get_store_uri()


class TestGrammars(TestCase):
    def test_parts_are_found(self) -> None:
        for uri, parts in PARTS.items():
            location = get_location_from_uri(uri).store_location
            self.assertEqual(parts, {name: getattr(location, name) for name in parts}, uri)

    def test_uris_come_back_as_they_were(self) -> None:
        self.assertEqual(list(PARTS), [put_together(uri) for uri in PARTS])

    def test_old_forms_come_back_in_todays_form(self) -> None:
        self.assertEqual(NORMALISED, {uri: put_together(uri) for uri in NORMALISED})

    def test_bad_forms_are_refused_without_showing_credentials(self) -> None:
        for uri in BAD:
            with self.subTest(uri):
                error = self.assertRaises(errors.BadStoreUri, get_location_from_uri, uri)
                self.assertNotIn("SECRET", str(error))

    def test_unknown_schemes_are_told_apart_from_bad_forms(self) -> None:
        for uri in UNKNOWN:
            self.assertRaises(errors.UnknownScheme, get_location_from_uri, uri)

    def test_a_location_of_another_scheme_is_refused(self) -> None:
        location = get_location_from_uri("rbd://image").store_location
        self.assertRaises(errors.BadStoreUri, location.parse_uri, "file:///image")

    def test_http_credentials_are_decoded(self) -> None:
        location: Any = get_location_from_uri("http://us%40er:p%3Aw@host/").store_location
        self.assertEqual(("us@er", "p:w"), location.credentials())
        self.assertEqual("http://host/", location.public_uri())


class TestRoundTrips(TestCase):
    """Put together from parts, taken apart, and put together again: nothing changes."""

    @UNTIMED
    @given(PART, PART, PART, PART)
    def test_rbd(self, fsid: str, pool: str, image: str, snapshot: str) -> None:
        uri = "rbd://" + "/".join(quote(part, safe="") for part in (fsid, pool, image, snapshot))
        location: Any = get_location_from_uri(uri).store_location
        self.assertEqual(
            (fsid, pool, image, snapshot), (location.fsid, location.pool, location.image, location.snapshot)
        )
        self.assertEqual(uri, location.get_uri())

    @UNTIMED
    @given(PART, PART, HOST, st.lists(WORD, max_size=2), WORD, WORD)
    def test_swift(self, user: str, key: str, host: str, path: list[str], container: str, obj: str) -> None:
        target = "/".join([host, *path, container, obj])
        uri = f"swift+http://{quote(user, safe='')}:{quote(key, safe='')}@{target}"
        location: Any = get_location_from_uri(uri).store_location
        self.assertEqual((user, key, container, obj), (location.user, location.key, location.container, location.obj))
        self.assertEqual(uri, location.get_uri())

    @UNTIMED
    @given(WORD, st.from_regex(r"/?[A-Za-z0-9+=][A-Za-z0-9/+=]{1,40}", fullmatch=True), HOST, WORD, WORD)
    def test_s3(self, access: str, secret: str, host: str, bucket: str, key: str) -> None:
        uri = f"s3://{access}:{secret}@{host}/{bucket}/{key}"
        location: Any = get_location_from_uri(uri).store_location
        self.assertEqual((access, secret, host), (location.accesskey, location.secretkey, location.s3serviceurl))
        self.assertEqual(uri, location.get_uri())

    @UNTIMED
    @given(HOST, st.lists(WORD, max_size=3), st.none() | WORD)
    def test_http(self, host: str, path: list[str], query: str | None) -> None:
        uri = f"https://user:key@{host}/{'/'.join(path)}" + ("" if query is None else f"?{query}")
        self.assertEqual(uri, put_together(uri))

    @UNTIMED
    @given(PART, PART)
    def test_vsphere(self, datacenter: str, datastore: str) -> None:
        uri = f"vsphere://server/folder/a/id?dcPath={quote(datacenter)}&dsName={quote(datastore)}"
        location: Any = get_location_from_uri(uri).store_location
        self.assertEqual((datacenter, datastore), (location.datacenter_path, location.datastore_name))
        again: Any = get_location_from_uri(location.get_uri()).store_location
        self.assertEqual(location.get_uri(), again.get_uri())

    @UNTIMED
    @given(
        st.text(max_size=40), st.sampled_from(["file", "http", "swift", "s3", "rbd", "cinder", "vsphere", "sheepdog"])
    )
    def test_any_text_is_taken_apart_or_refused(self, text: str, scheme: str) -> None:
        try:
            uri = put_together(f"{scheme}://{text}")
        except errors.BadStoreUri:
            return
        self.assertEqual(uri, put_together(uri))
