"""A stand-in for Sheepdog's program dog: ``dog.py DIRECTORY AREA ACTION [options] words`` keeps disks in DIRECTORY.

It has the commands that the driver calls, with the words, the output, the exit codes and the texts of Sheepdog 1.0; as
there, a failed create ends with 1 and the reason is only in the text. ``DIRECTORY/fault`` holds ``ACTION[,...] KIND``
and makes these actions hang, fail, break off, fill the cluster, claim success without doing anything, or (a number)
move so many bytes a second.
"""

import fcntl
import os
import sys
import time
from pathlib import Path

SUCCESS, FAILURE, SYSTEM_FAILURE, USAGE = 0, 1, 2, 64
BLOCK = 65536
LARGEST = 4 * 1024**4


class Failed(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Cluster:
    """Each disk is a directory with the file ``current`` and a file for each snapshot."""

    def __init__(self, root):
        self.root = root

    def disk(self, name, tag=None):
        path = self.root / "disks" / name / ("current" if tag is None else f"snapshot-{tag}")
        if not path.exists():
            reason = "No VDI found" if tag is None else "Failed to find requested tag"
            raise Failed(FAILURE, f"Failed to open VDI {name} (snapshot id: 0 snapshot tag: {tag or ''}): {reason}")
        return path

    def create(self, name, size, base=None):
        if size > LARGEST:
            raise Failed(USAGE, "VDI size is too large")
        path = self.root / "disks" / name / "current"
        if path.exists():
            raise Failed(FAILURE, f"Failed to create VDI {name}: VDI exists already")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            if base is not None:
                file.write(base.read_bytes())
            file.truncate(size)


def vdi_create(cluster, options, name, size):
    cluster.create(name, int(size))


def vdi_resize(cluster, options, name, size):
    path = cluster.disk(name)
    if int(size) < path.stat().st_size:
        raise Failed(USAGE, "Shrinking VDIs is not implemented")
    os.truncate(path, int(size))


def vdi_snapshot(cluster, options, name):
    path = cluster.disk(name)
    (path.parent / f"snapshot-{options['s']}").write_bytes(path.read_bytes())


def vdi_clone(cluster, options, name, copy):
    base = cluster.disk(name, options["s"])
    cluster.create(copy, base.stat().st_size, base)


def vdi_delete(cluster, options, name):
    path = cluster.disk(name, options.get("s"))
    path.unlink()
    if not list(path.parent.iterdir()):
        path.parent.rmdir()


def vdi_list(cluster, options, wanted=None):
    for directory in sorted((cluster.root / "disks").glob("*")):
        for path in sorted(directory.iterdir()) if wanted in (None, directory.name) else ():
            kind, tag = ("=", "") if path.name == "current" else ("s", path.name.removeprefix("snapshot-"))
            name = directory.name.replace("\\", "\\\\").replace(" ", "\\ ")
            size = path.stat().st_size
            print(f"{kind} {name} 1 {size} {size} 0 1600000000 7c2b25 3 {tag} 22")


def vdi_read(cluster, options, name, offset=0, length=None):
    path, offset = cluster.disk(name, options.get("s")), int(offset)
    if offset > path.stat().st_size:
        raise Failed(FAILURE, "Read offset is beyond the end of the VDI")
    with open(path, "rb") as file:
        file.seek(offset)
        left = path.stat().st_size - offset if length is None else int(length)
        while left and (data := file.read(min(BLOCK, left))):
            sys.stdout.buffer.write(data)
            left -= len(data)
            misbehave(cluster, "reading")


def vdi_write(cluster, options, name, offset=0, length=None):
    path, offset = cluster.disk(name), int(offset)
    size = path.stat().st_size
    if offset > size:
        raise Failed(FAILURE, "Write offset is beyond the end of the VDI")
    left = size - offset if length is None else min(int(length), size - offset)
    with open(path, "r+b") as file:
        file.seek(offset)
        while left and (data := sys.stdin.buffer.read(min(BLOCK, left))):
            file.write(data)
            left -= len(data)
            misbehave(cluster, "writing")


def node_list(cluster, options):
    print("0 127.0.0.1:7000 128 16777343")


ACTIONS = {
    f"{area} {action}": globals()[f"{area}_{action}"]
    for area, action in (
        ("vdi", "create"),
        ("vdi", "resize"),
        ("vdi", "snapshot"),
        ("vdi", "clone"),
        ("vdi", "delete"),
        ("vdi", "list"),
        ("vdi", "read"),
        ("vdi", "write"),
        ("node", "list"),
    )
}
UNLOCKED = ("vdi read", "vdi write")
WITH_VALUE = "aps"


def misbehave(cluster, action):
    """Do what the file ``fault`` says for this action; return whether to claim success at once."""
    fault = cluster.root / "fault"
    wanted, _, kind = fault.read_text().partition(" ") if fault.exists() else ("", "", "")
    if action not in wanted.split(","):
        return False
    if kind.isdigit():
        time.sleep(BLOCK / int(kind))
    if kind == "hang":
        time.sleep(600)
    if kind == "once":
        fault.unlink()
    if kind in ("fail", "once"):
        raise Failed(SYSTEM_FAILURE, "Failed to connect to 127.0.0.1:7000: Connection refused")
    if kind == "full":
        raise Failed(FAILURE, "Failed to write object 007c2b2500000000: Server has no space for new objects")
    if kind == "break":
        sys.stdout.flush()
        os._exit(SUCCESS)
    return kind == "lie"


def main(root, area, action, *words):
    cluster = Cluster(Path(root))
    with open(cluster.root / "calls", "a") as calls:
        calls.write(" ".join([area, action, *words]) + "\n")
    options, names, rest = {}, [], iter(words)
    for word in rest:
        if word.startswith("-"):
            options[word[1:]] = next(rest) if word[1:] in WITH_VALUE else True
        else:
            names.append(word)
    try:
        if misbehave(cluster, action):
            return SUCCESS
        run = ACTIONS[f"{area} {action}"]
        if f"{area} {action}" in UNLOCKED:
            run(cluster, options, *names)
            return SUCCESS
        with open(cluster.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run(cluster, options, *names)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return failure.code
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
