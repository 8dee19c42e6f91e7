"""Uploads, downloads or deletes by glance_store, in an environment of its own that has nothing of this project.

``python peer.py DRIVER upload|download|delete FILE NAME,NAME... OPTION=VALUE...`` prints seconds, those of the
processor, memory and locations as JSON. Names are locations for downloads and deletions. It uses public functions of
that package only.
"""

import importlib
import json
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from oslo_config import cfg

_SECTION = "glance_store"


def main() -> None:
    """Do what the arguments say."""
    library = importlib.import_module("glance_store")
    driver, action, path, names = sys.argv[1:5]
    conf = cfg.ConfigOpts()
    library.register_opts(conf)
    conf([], default_config_files=[])
    conf.set_override("stores", [driver], group=_SECTION)
    conf.set_override("default_store", driver, group=_SECTION)
    for word in sys.argv[5:]:
        option, _, value = word.partition("=")
        conf.set_override(option, value, group=_SECTION)
    library.create_stores(conf)
    call = partial({"upload": _upload, "download": _download, "delete": _delete}[action], library, conf, path)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    before = _peak_mib()
    started, started_cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(names.count(",") + 1) as executor:
        result = list(executor.map(call, names.split(",")))
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": _peak_mib() - before, "result": result}))


def _upload(library: Any, conf: cfg.ConfigOpts, path: str, name: str) -> str:
    with open(path, "rb") as file:
        stored = library.add_to_backend_with_multihash(conf, name, file, os.path.getsize(path), "sha512")
    location: str = stored[0]
    return location


def _download(library: Any, conf: cfg.ConfigOpts, path: str, location: str) -> str:
    chunks, _ = library.get_from_backend(location)
    target = f"{path}-{uuid.uuid4().hex}"
    with open(target, "wb", buffering=0) as file:
        os.unlink(target)
        for chunk in chunks:
            file.write(chunk)
    return location


def _delete(library: Any, conf: cfg.ConfigOpts, path: str, location: str) -> str:
    library.delete_from_backend(location)
    return location


def _peak_mib() -> float:
    """Return the most memory that this process has had since the peak was reset; see proc_pid_clear_refs(5)."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
