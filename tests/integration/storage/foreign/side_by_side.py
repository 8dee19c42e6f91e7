"""Stores with drivers of ``glance_store`` and of this library in one configuration, as the service reads it.

Argument: a directory. Prints a line for each thing that worked.
"""

import sys
from pathlib import Path

from glance_mini import conf as configuration
from glance_mini.conf.unknown import find_unknown
from glance_mini_store import errors
from glance_mini_store.stores import Stores

CONFIGURATION = """
[DEFAULT]
enabled_backends = new:file,old:glance_store.file,web:glance_store.http
[glance_store]
default_backend = old
[backend_defaults]
filesystem_store_chunk_size = 65536
[new]
filesystem_store_datadir = FOLDER/new
[old]
filesystem_store_datadir = FOLDER/old
filesystem_store_metadata_file = FOLDER/metadata.json
weight = 3
store_description = as before
[web]
https_insecure = false
"""
DATA = bytes(range(256)) * 40_000


def read(stores, location, *part):
    return b"".join(stores.for_location(location).read(location, *part))


def main():
    folder = Path(sys.argv[1])
    path = folder / "service.conf"
    (folder / "metadata.json").write_text(f'{{"id": "disk", "mountpoint": "{folder}"}}')
    path.write_text(CONFIGURATION.replace("FOLDER", str(folder)))
    conf = configuration.load(["--config-file", str(path)])
    assert find_unknown(conf).wrong == (), find_unknown(conf)
    stores = Stores.from_config(conf)
    assert [(store.id, store.type) for store in stores][1] == ("old", "glance_store.file")
    assert (stores.default.id, stores.default.weight, stores.default.description) == ("old", 3, "as before")
    assert stores.get("web").read_only

    kept = stores.default.write("abc", [DATA[:1000], DATA[1000:]], size=len(DATA))
    assert dict(kept.metadata) == {"id": "disk", "mountpoint": str(folder)}, kept.metadata
    moved = stores.get("new").write("abc", stores.default.read(kept.location), size=kept.size)
    assert moved.digests == kept.digests
    assert read(stores, kept.location) == read(stores, moved.location) == DATA
    print("moved")

    for offset, length in ((0, 1), (5_000_000, None), (1, 6_000_000), (len(DATA), None)):
        end = None if length is None else offset + length
        assert read(stores, kept.location, offset, length) == DATA[offset:end]
    print("ranges")

    stores.for_location(kept.location).delete(kept.location)
    for call in (stores.default.read, stores.default.size, stores.default.delete):
        try:
            call(kept.location)
        except errors.NotFound as error:
            assert error.store == "old"
        else:
            raise AssertionError(call)
    print("deleted")

    path.write_text(path.read_text() + "[old]\nfilesystem_store_datadirr = x\n")
    [wrong] = find_unknown(configuration.load(["--config-file", str(path)])).wrong
    assert "filesystem_store_datadir?" in wrong, wrong
    print("unknown option")


main()
