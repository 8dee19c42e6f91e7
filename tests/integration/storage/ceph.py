"""Pools and users of a real Ceph, made for one test class, and a cluster of a test's own that it may break."""

import json
import os
import select
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from fixtures import Fixture, TempDir
from oslo_config import cfg

from glance_mini_store.drivers.rbd import RbdDriver
from glance_mini_store.settings import resolve
from tests.integration.base import SERVICES, ServiceTestCase
from tests.ports import free_port

MODULES = "the Python modules rados and rbd of Ceph are missing"


def modules() -> tuple[ModuleType, ModuleType] | None:
    """Return Ceph's modules, None if this Python has none."""
    try:
        import rados
        import rbd
    except ImportError:
        return None
    return rados, rbd


def require_modules(test: ServiceTestCase) -> None:
    """End the test where Ceph's modules are missing."""
    if modules() is None:
        test.lacks(MODULES)


class Pools(Fixture):
    """Two pools of one's own, and a user that may use only these, with the permissions that the manual names."""

    def __init__(self, conf: str) -> None:
        super().__init__()
        self.conf = conf
        self.name = f"glance-mini-{uuid.uuid4().hex[:8]}"
        self.data_name = f"{self.name}-data"

    def _setUp(self) -> None:
        found = modules()
        assert found, MODULES
        self.rados, self.rbd = found
        self.admin = self.rados.Rados(
            conffile=self.conf, conf={"rados_mon_op_timeout": "30", "rados_osd_op_timeout": "30"}
        )
        self.admin.connect()
        self.addCleanup(self.admin.shutdown)
        for name in (self.name, self.data_name):
            self.command("osd pool create", pool=name, pg_num=8)
            self.addCleanup(self._remove_pool, name)
            self.command("osd pool application enable", pool=name, app="rbd")
        self.pool = self.admin.open_ioctx(self.name)
        self.rbd.RBD().pool_init(self.pool, True)
        self.addCleanup(self.command, "auth rm", entity=f"client.{self.name}")
        self.may = f"profile rbd pool={self.name}, profile rbd pool={self.data_name}"
        self.user_conf = self.new_user(self.name, self.may)

    def command(self, prefix: str, **arguments: object) -> bytes:
        """Return what a monitor answers."""
        words = json.dumps({"prefix": prefix, **arguments})
        result, output, said = self.admin.mon_command(words, b"", timeout=30)
        if result:
            raise AssertionError(f"{words}: {result} {said}")
        return bytes(output)

    def new_user(self, name: str, osd: str, key: bytes | None = None) -> str:
        """Return a configuration with the keyring of a new user; ``key`` replaces its keyring."""
        keyring = self.command("auth get-or-create", entity=f"client.{name}", caps=["mon", "profile rbd", "osd", osd])
        folder = Path(self.useFixture(TempDir()).path)
        (folder / "keyring").write_bytes(keyring if key is None else key)
        (folder / "ceph.conf").write_text(
            f"{Path(self.conf).read_text()}\n[client.{name}]\nkeyring = {folder}/keyring\n"
        )
        return str(folder / "ceph.conf")

    def driver(self, **values: object) -> RbdDriver:
        """Return a driver on the pools, made from options."""
        options: dict[str, Any] = {
            "rbd_store_pool": self.name,
            "rbd_store_user": self.name,
            "rbd_store_ceph_conf": self.user_conf,
            **values,
        }
        conf = cfg.ConfigOpts()
        conf([])
        resolve(conf, "group", RbdDriver.options)
        for name, value in options.items():
            conf.set_override(name, value, group="group")
        return RbdDriver.from_config(resolve(conf, "group", RbdDriver.options), "group")

    def images(self) -> list[str]:
        """Return the names in the pool, the trash, and the objects that belong to images and are not data."""
        trash = [entry["name"] for entry in self.rbd.RBD().trash_list(self.pool)]
        kept = ("rbd_id.", "rbd_header.", "rbd_object_map.")
        objects = [each.key for each in self.pool.list_objects() if each.key.startswith(kept)]
        return sorted([*self.rbd.RBD().list(self.pool), *trash, *objects])

    def clone_by_tool(self, name: str, clone: str, clone_format: int) -> None:
        """Let ``rbd clone`` make ``clone`` (pool and name) of the snapshot of an image."""
        command = ["rbd", "--conf", self.conf, f"--rbd-default-clone-format={clone_format}", "clone"]
        subprocess.run([*command, f"{self.name}/{name}@snap", clone], check=True, capture_output=True, timeout=60)

    def data_objects(self) -> list[str]:
        """Return the objects of the pool that hold data of images."""
        return [each.key for each in self.pool.list_objects() if each.key.startswith("rbd_data")]

    def limit(self, rate: int | None) -> None:
        """Let librbd move ``rate`` bytes a second (None: any) in each image of the pool that is opened from now on."""
        name = "conf_rbd_qos_bps_limit"
        if rate is not None:
            self.rbd.RBD().pool_metadata_set(self.pool, name, str(rate))
        elif name in dict(self.rbd.RBD().pool_metadata_list(self.pool)):
            self.rbd.RBD().pool_metadata_remove(self.pool, name)

    @contextmanager
    def image(self, name: str, snapshot: str | None = None) -> Iterator[Any]:
        """Open an image."""
        with self.rbd.Image(self.pool, name, snapshot) as image:
            yield image

    def empty(self) -> None:
        """Remove all images, those called clone before what they were made of."""
        images = self.rbd.RBD()
        for name in images.list(self.pool):
            images.trash_move(self.pool, name, 0)
        for entry in sorted(images.trash_list(self.pool), key=lambda entry: str(entry["name"])):
            with self.rbd.Image(self.pool, image_id=entry["id"]) as image:
                for snapshot in list(image.list_snaps()):
                    with suppress(self.rbd.Error):
                        image.unprotect_snap(snapshot["name"])
                    image.remove_snap(snapshot["name"])
            images.trash_remove(self.pool, entry["id"])

    def _remove_pool(self, name: str) -> None:
        self.command("osd pool delete", pool=name, pool2=name, yes_i_really_really_mean_it=True)


class OwnCluster(Fixture):
    """A cluster that only this test uses."""

    def __init__(self, osds: int = 1) -> None:
        super().__init__()
        self._osds = osds

    def _setUp(self) -> None:
        self.home = Path(self.useFixture(TempDir()).path)
        self.addCleanup(self._run, "stop")
        self._environment = {**os.environ, "SERVICES_HOME": str(self.home), "CEPH_PORT": str(free_port())}
        self._environment["CEPH_OLD_PORT"] = str(free_port())
        self._environment["CEPH_OSDS"] = str(self._osds)
        for name in ("TEST_RBD_CONF", "CEPH_CONF"):
            self._environment.pop(name, None)
        self._run("start")
        self.conf = str(self.home / "ceph" / "cluster" / "ceph.conf")

    def signal_osd(self, number: signal.Signals) -> None:
        """Send a signal to the OSD."""
        os.kill(self._pid("osd"), number)

    def signal_monitor(self, number: signal.Signals) -> None:
        """Send a signal to the monitor."""
        os.kill(self._pid("mon"), number)

    def kill_osd(self) -> None:
        """Kill the OSD and wait until it is gone: while it dies it holds its disk, and no other OSD starts."""
        watch = os.pidfd_open(self._pid("osd"))
        try:
            self.signal_osd(signal.SIGKILL)
            if not select.select([watch], [], [], 30)[0]:
                raise AssertionError("the killed OSD does not end")
        finally:
            os.close(watch)

    def start_osd(self) -> None:
        """Start the OSD again, after it was killed."""
        self._run("start")

    def _pid(self, daemon: str) -> int:
        return int((self.home / f"ceph-{daemon}.pid").read_text().split()[0])

    def _run(self, action: str) -> None:
        command = ["bash", str(SERVICES / "ceph"), action]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            raise AssertionError(f"ceph {action}: {done.stdout}{done.stderr}")
