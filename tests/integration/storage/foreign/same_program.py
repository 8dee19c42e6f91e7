"""A program that was written for ``glance_store``: prints what the library answers, one line of JSON for each call.

Arguments: the module to use, a directory. With ``glance_mini_store.compat`` it is the same program.
"""

import importlib
import io
import json
import sys

from oslo_config import cfg

glance_store = importlib.import_module(sys.argv[1])
folder = sys.argv[2]

CONFIGURATION = f"""
[DEFAULT]
enabled_backends = fast:file,cheap:file,web:http
[glance_store]
default_backend = fast
stores = file,http
default_store = file
filesystem_store_datadir = {folder}/one
[fast]
filesystem_store_datadir = {folder}/fast
weight = 5
[cheap]
filesystem_store_datadir = {folder}/cheap
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
"""


class Verifier:
    seen = b""

    def update(self, data):
        self.seen += data


def show(name, call):
    try:
        answer = call()
    except (glance_store.GlanceStoreException, glance_store.BackendException, RuntimeError) as error:
        answer = [type(error).__name__ if not isinstance(error, RuntimeError) else "RuntimeError"]
    print(json.dumps([name, answer], default=str).replace(folder, "FOLDER"))


def data():
    return io.BytesIO(b"0123456789")


def read(answer):
    blocks, number = answer
    return [b"".join(blocks).decode(), number]


def use_single(conf):
    g = glance_store
    g.register_opts(conf)
    show("created", lambda: g.create_stores(conf))
    show("schemes", lambda: sorted(g.get_known_schemes()))
    show("verified", g.verify_default_store)
    uri = f"file://{folder}/one/abc"
    verifier = Verifier()
    show(
        "5", lambda: g.add_to_backend_with_multihash(conf, "abc", data(), 10, "sha256", context=None, verifier=verifier)
    )
    show("seen", lambda: verifier.seen.decode())
    show("4", lambda: g.add_to_backend(conf, "abd", data(), 0))
    show("duplicate", lambda: g.add_to_backend(conf, "abc", data(), 10))
    show("size", lambda: g.add_to_backend(conf, "abe", data(), 11))
    show("hash", lambda: g.add_to_backend_with_multihash(conf, "abf", data(), 10, "nope"))
    show("scheme", lambda: g.add_to_backend(conf, "abf", data(), 10, scheme="gold"))
    show("read-only", lambda: g.add_to_backend(conf, "abf", data(), 10, scheme="http"))
    store = g.get_store_from_scheme("file")
    show("given 4", lambda: g.store_add_to_backend("abg", data(), 10, store))
    show("given 5", lambda: g.store_add_to_backend_with_multihash("abh", data(), 10, "md5", store))
    show("by uri", lambda: g.get_store_from_uri(uri).get_schemes())
    show("by location", lambda: g.get_store_from_location("http://a/b"))
    for part in ((0, None), (5, None), (2, 3), (0, 3), (20, None)):
        show(f"read {part}", lambda part=part: read(g.get_from_backend(uri, offset=part[0], chunk_size=part[1])))
    show("size of", lambda: g.get_size_from_backend(uri))
    show("location", lambda: g.location.get_location_from_uri(uri, conf).get_store_uri())
    show("acl", lambda: g.set_acls(uri, public=True, read_tenants=["a"]))
    for _ in range(2):
        show("delete", lambda: g.delete_from_backend(uri))
    for call in (g.get_from_backend, g.get_size_from_backend):
        show("missing", lambda call=call: call(uri))
    for value in ("gold://x", "no uri"):
        show("unknown", lambda value=value: g.get_from_backend(value))
    show("no delete", lambda: g.delete_from_backend("http://a/b"))
    for value in ({"a": ["b", {"c": "d"}]}, {"a": 1}, 1):
        show("metadata", lambda value=value: g.check_location_metadata(value))


def use_multi(conf):
    g = glance_store
    reserved = {"os_glance_staging_store": "file"}
    g.register_store_opts(conf, reserved_stores=reserved)
    show("created", lambda: g.create_multi_stores(conf, reserved_stores=reserved) > 0)
    show("schemes", lambda: sorted(g.get_known_schemes_for_multi_store()))
    show("verified", g.verify_store)
    uri = f"file://{folder}/fast/abc"
    show("5", lambda: g.add_with_multihash(conf, "abc", data(), 10, "fast", "sha1"))
    show("4", lambda: g.add(conf, "abd", data(), 0, "cheap"))
    show("unknown", lambda: g.add(conf, "abe", data(), 10, "gold"))
    show("read", lambda: read(g.get(uri, "fast")))
    show("read part", lambda: read(g.get(uri, "fast", offset=2, chunk_size=3)))
    show("search", lambda: read(g.get(uri, None, offset=4)))
    for value in ("web", "gold"):
        show("other", lambda value=value: g.get(uri, value))
        show("other", lambda value=value: g.delete(uri, value))
    show("size of", lambda: g.get_size_from_uri_and_backend(uri, "fast"))
    for store in ("fast", "cheap", "os_glance_staging_store", "gold"):
        show("weight", lambda store=store: g.get_store_weight(store))
    store = g.get_store_from_store_identifier("fast")
    show("store", lambda: [store.backend_group, store.weight, list(store.get_schemes()), store.url_prefix.rstrip("/")])
    show("location", lambda: g.location.get_location_from_uri_and_backend(uri, "fast", conf).get_store_uri())
    show("acl", lambda: g.set_acls_for_multi_store(uri, "fast", public=True))
    for _ in range(2):
        show("delete", lambda: g.delete(uri, "fast"))
    for value in (uri, "gold://a"):
        show("nowhere", lambda value=value: g.get(value, None))
    for value in (None, "gold"):
        conf.set_override("default_backend", value, group="glance_store")
        show("not verified", g.verify_store)


def main():
    path = f"{folder}/program.conf"
    with open(path, "w") as file:
        file.write(CONFIGURATION)
    conf = cfg.CONF
    conf.register_opt(cfg.DictOpt("enabled_backends"))
    if sys.argv[3] == "multi":
        conf(["--config-file", path], default_config_files=[])
        use_multi(conf)
    else:
        with open(path, "w") as file:
            file.write(CONFIGURATION.partition("[glance_store]")[1] + CONFIGURATION.partition("[glance_store]")[2])
        conf(["--config-file", path], default_config_files=[])
        use_single(conf)


main()
