"""Values that a client may send: right ones, wrong ones, and those at the edges."""

import json
from urllib.parse import quote

from hypothesis import strategies as st

from tests.integration.fuzz.wire import KNOWN_METHODS

FORMATS = ("raw", "qcow2", "iso", "vmdk", "vhd", "vhdx", "vdi", "ami", "ari", "aki", "ploop")
PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
OLD_PATCH_TYPE = "application/openstack-images-v2.0-json-patch"
DATA_TYPE = "application/octet-stream"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def _words(text):
    return tuple(text.split())


_ODD = (
    *_words(
        "% %zz %00 %2e%2e . .. ../../etc/passwd / // ~ ~0 ~1 - null None true 0 -1 1e400 NaN ' \" \\ ';-- $1 {} {0} %s"
    ),
    *("", " ", "\0", "a\0b", "\r\n", "\t", "\x7f", "\x85", "\u202e", "\ufeff", "\uffff"),
    *("é", "🚀", "İ", "ß", "a" * 255, "🚀" * 255, "b" * 256, "c" * 5000, "9" * 30),
    *("gt:2020-01-01", "in:a,b", 'in:"', "lt:9999-12-31T23:59:59Z", "eq:0001-01-01T00:00:00+23:59"),
)
text = st.sampled_from(_ODD) | st.text(max_size=20)
_right_words = st.sampled_from(("disk", "x86", "β", "🚀" * 255, "", " ", "%2e", "a,b", 'q"\\', "null", "ß\u202e\x7f"))
word = _right_words | text

numbers = st.sampled_from(
    (0, 1, -1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**30, 1.5, -0.0, 1e308)
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | text | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
ids = st.sampled_from((UNKNOWN_ID, UNKNOWN_ID.upper(), f"{UNKNOWN_ID}\n")) | text


def _some(fields):
    return st.fixed_dictionaries({}, optional=fields)


_LOCATIONS = (
    *_words(
        "http://127.0.0.1:1/disk http://[::1]:99999/ http://user:secret@127.0.0.1/ https://127.0.0.1:1 http: http://["
    ),
    *_words("file:///etc/passwd http://127.0.0.1:65536/ http://169.254.169.254/ ftp://x/ HTTP://127.0.0.1:1/é data:,x"),
    *_words("rbd://a/b/c/d cinder://x :// x http://127.0.0.1\\@[::1]/"),
    *("http://\0/", "http://127.0.0.1:1/" + "x" * 5000),
)
urls = st.sampled_from(_LOCATIONS) | text

_right_fields = {
    "name": st.none() | _right_words,
    "visibility": st.sampled_from(("private", "shared", "shared", "community")),
    "protected": st.booleans(),
    "os_hidden": st.booleans(),
    "min_disk": st.integers(0, 2**31 - 1),
    "min_ram": st.integers(0, 2**31 - 1),
    "disk_format": st.none() | st.sampled_from(FORMATS),
    "container_format": st.none() | st.sampled_from(("bare", "ovf", "ova", "docker", "compressed")),
    "tags": st.lists(_right_words, max_size=4),
    "os_distro": _right_words,
    "colour": _right_words,
}
_names = (
    *_right_fields,
    *_words("id status size virtual_size checksum os_hash_algo os_hash_value locations stores self file schema"),
    *_words("owner created_at updated_at deleted direct_url members data kernel_id img_signature hw_disk_bus"),
    *_words("os_glance_import_task os_glance_importing_to_stores"),
)
names = st.sampled_from(_names) | text
right_image = _some(_right_fields)
_wrong_fields = st.dictionaries(names, json_values, max_size=3)
wrong_image = st.builds(lambda right, wrong: right | wrong, right_image, _wrong_fields)
images = right_image | wrong_image | json_values

_pointers = st.lists(names, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts)) | st.sampled_from(
    ("/locations/-", "/locations/0", "/locations/99999999999999999999", "/locations", "/tags/-", "", "/", "/a~2")
)
_locations = st.fixed_dictionaries(
    {"url": urls, "metadata": st.just({}) | json_values}, optional={"validation_data": json_values}
)
_patch_values = json_values | word | _locations | st.lists(_locations, max_size=2)
_steps = (
    st.fixed_dictionaries(
        {"op": st.sampled_from(("add", "replace", "remove", "move", "copy", "test")), "path": _pointers},
        optional={"value": _patch_values, "from": _pointers},
    )
    | st.fixed_dictionaries(
        {}, optional={"add": _pointers, "replace": _pointers, "remove": _pointers, "value": _patch_values}
    )
    | st.dictionaries(st.sampled_from(("op", "path", "value", "from")) | text, json_values, max_size=4)
)


@st.composite
def _right_steps(draw):
    name = draw(st.sampled_from(tuple(_right_fields)))
    return {"op": draw(st.sampled_from(("add", "replace"))), "path": f"/{name}", "value": draw(_right_fields[name])}


patches = st.lists(_right_steps(), min_size=1, max_size=3) | st.lists(_steps | json_values, max_size=4) | json_values

patch_types = st.sampled_from((PATCH_TYPE, PATCH_TYPE, OLD_PATCH_TYPE, "application/json-patch+json"))

_stores = st.lists(st.sampled_from(("images", "cheap", "web", "none")) | text, max_size=3)
_hosts = st.sampled_from(("127.0.0.1", "RegionOne", "")) | text
_methods = st.fixed_dictionaries(
    {"name": st.sampled_from(("glance-direct", "web-download", "copy-image", "glance-download", "none"))},
    optional={
        "uri": urls,
        "glance_image_id": ids,
        "glance_region": _hosts,
        "glance_service_interface": _hosts,
        "all_stores": json_values,
    },
)
imports = (
    st.fixed_dictionaries(
        {"method": _methods},
        optional={
            "stores": _stores,
            "all_stores": st.booleans(),
            "all_stores_must_succeed": st.booleans(),
            "expected_hashes": json_values,
        },
    )
    | st.dictionaries(
        st.sampled_from(("method", "stores", "all_stores", "all_stores_must_succeed", "expected_hashes")),
        json_values | _methods,
        max_size=4,
    )
    | json_values
)
tasks = (
    st.fixed_dictionaries(
        {
            "type": st.just("import"),
            "input": st.fixed_dictionaries(
                {"import_from": urls, "import_from_format": word, "image_properties": right_image | json_values}
            )
            | json_values,
        }
    )
    | st.dictionaries(st.sampled_from(("type", "input", "status", "owner")), json_values, max_size=3)
    | json_values
)
locations = (
    st.fixed_dictionaries({"url": urls}, optional={"validation_data": json_values})
    | st.fixed_dictionaries(
        {
            "url": urls,
            "validation_data": st.fixed_dictionaries(
                {
                    "os_hash_algo": st.sampled_from(("sha512", "md5", "sha3")),
                    "os_hash_value": st.sampled_from(("0" * 128, "f" * 32, "x")),
                }
            ),
        }
    )
    | json_values
)


@st.composite
def bodies(draw, values):
    """Return JSON of one of ``values`` as bytes, now and then in an unusual writing or broken."""
    value = draw(values)
    match draw(st.sampled_from(_words("plain plain plain plain utf-8 deep twice cut bom utf-16 raw"))):
        case "utf-8":
            return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        case "deep":
            depth = draw(st.sampled_from((60, 70, 1000, 30_000)))
            return b'[{"x":' * depth + json.dumps(value).encode() + b"}]" * depth
        case "twice":
            inner = json.dumps(value).encode()
            return b'{"name": "a", "name": %b, "tags": %b}' % (inner, inner)
        case "cut":
            return json.dumps(value).encode()[:-1]
        case "bom":
            return b"\xef\xbb\xbf" + json.dumps(value).encode()
        case "utf-16":
            return json.dumps(value).encode("utf-16")
        case "raw":
            return draw(st.binary(max_size=40))
    return json.dumps(value).encode()


_query_names = st.sampled_from(
    _words(
        "limit marker sort sort_key sort_dir tag visibility member_status os_hidden status protected name id "
        "owner size_min size_max min_ram min_ram_max min_disk_min size created_at updated_at disk_format "
        "container_format checksum changes-since deleted type os_hash_value os_distro prefer"
    )
)
_query_values = st.sampled_from(
    (
        *_words("name:asc created_at:desc,id size asc desc all shared active in:raw,iso True 1000 import images,web"),
        *_words("gte:2026-01-01T00:00:00Z lt:9999-12-31T23:59:59.999999-23:59 neq:0001-01-01"),
        *map(str, (0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30)),
    )
)


def _query(pairs):
    return "&".join(f"{quote(name, safe='')}={quote(value, safe=':,')}" for name, value in pairs)


_escapes = st.text(st.sampled_from("%0aAfFcC3x&=+;#?é\x80"), max_size=20)
queries = st.lists(st.tuples(_query_names | text, _query_values | text), max_size=4).map(_query) | _escapes

_header_names = st.sampled_from(
    _words(
        "Range Content-Range Accept Accept-Encoding Accept-Language Content-Type Content-Encoding X-Image-Meta-Store "
        "X-OpenStack-Image-Size X-OpenStack-Request-ID Origin Sec-Fetch-Site Host X-Forwarded-Proto X-Forwarded-For "
        "X-Forwarded-Host Forwarded If-Range If-None-Match Cookie X-Roles X-Project-Id X-User-Id X-Identity-Status "
        "X-Service-Catalog X-Service-Token Expect Authorization Connection Upgrade TE Via X-HTTP-Method-Override "
        "OpenStack-System-Scope"
    )
)
_header_values = st.sampled_from(
    (
        *_words("bytes=0-3 bytes=-5 bytes=3- bytes=0-9223372036854775807 bytes=9-1 bytes=0-1,3-4"),
        *_words("bytes=99999999999999999999- application/json */* images web req-1 7 -1 9223372036854775808"),
        *_words("https://evil.example null cross-site a:b [::1 100-continue xx close 5 [1] {} all h2c"),
        *("bytes 3-16/15", "text/html;q=0.5, application/json;q=x", "gzip, zstd", "gzip;q=0, *;q=0.1", DATA_TYPE),
        *(PATCH_TYPE, "application/json; charset=utf-16", "Basic Og==", "Basic %%%", "Bearer x", "keep-alive, close"),
        *('[{"endpoints": 3}]', "é", "\xff\xfe", "x" * 300, "y" * 9000, "", '"', "=?utf-8?q?x?=", ";", ",", "a=b; c"),
    )
)
headers = st.lists(st.tuples(_header_names, _header_values), max_size=3)
safe_headers = st.lists(
    st.tuples(
        st.sampled_from(("Accept", "Accept-Encoding", "Accept-Language", "If-None-Match", "Cookie", "TE", "Via")),
        _header_values,
    ),
    max_size=2,
)
"""Headers that change nothing about what a call does."""

methods = st.sampled_from((*KNOWN_METHODS, "OPTIONS", "TRACE", "get", "PROPFIND", "X" * 40))

parts = text | st.sampled_from(
    _words(
        "v2 v1 v2.15 V2 images file stage import tags members locations actions deactivate reactivate restore "
        "purge tasks stores schemas image info usage detail metadefs namespaces cache versions healthcheck "
        f"openapi.json metrics projects v3 auth {UNKNOWN_ID}"
    )
)


@st.composite
def paths(draw):
    """Return a path as it stands in a request line: percent-encoded, or nearly."""
    chosen = draw(st.lists(parts, max_size=6))
    if draw(st.booleans()):
        chosen = ["v2", *chosen]
    if draw(st.integers(0, 4)) == 0:
        return f"/{draw(_escapes)}".replace("#", "%23")
    return "/" + "/".join(quote(part, safe="%:~") for part in chosen)


data = st.sampled_from((b"", b"x", b"QFI\xfb" + b"\0" * 100, b"\x1f\x8b\x08" + b"\0" * 50, b"KDMV" + b"\xff" * 512)) | (
    st.binary(max_size=40) | st.integers(1, 300_000).map(lambda size: (b"content " * (size // 8 + 1))[:size])
)
chunks = st.none() | st.sampled_from((1, 7, 1000, 100_000))

_DAMAGE = (
    *(b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\t", b"\0", b":", b"%", b"\x80", b"HTTP/1.0", b"HTTP/2.0", b"0\r\n"),
    *(b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: gzip", b"\r\nContent-Length: 5"),
    *(b"\r\nContent-Length: 99999999999999999", b"\r\nExpect: 100-continue", b"\r\nConnection: close", b"\r\n folded"),
    *(b"\r\nHost: [", b"ffffffffffffffff\r\n", b"\r\nX: " + b"y" * 70_000, b"\r\nX_Y: 1" * 200, b"/" * 9000),
)


@st.composite
def damaged(draw, request):
    """Return the bytes of ``request`` with a few changes."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(request)))
        end = min(len(request), start + draw(st.sampled_from((0, 1, 2, 10, 100))))
        new = draw(st.binary(max_size=4) | st.sampled_from((*_DAMAGE, request[start:end] * 2)))
        request = request[:start] + new + request[end:]
    return request
