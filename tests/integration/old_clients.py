"""Releases of clients, each in an environment of its own, which is made once and kept."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import fixtures

INSTALL_SECONDS = 900


class ClientRelease(fixtures.Fixture):
    """An environment with ``requirements``; ``program`` is where its ``openstack`` is, if they bring one.

    Environments are kept in ``$XDG_CACHE_HOME/glance-mini-tests``. TEST_CLIENTS names another directory.
    """

    def __init__(self, *requirements):
        super().__init__()
        # Releases of that time import pkg_resources, which newer ones of setuptools do not have.
        self._requirements = (*requirements, "setuptools<81")

    def _setUp(self):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glance-mini-tests"
        folder = Path(os.environ.get("TEST_CLIENTS") or cache)
        folder.mkdir(parents=True, exist_ok=True)
        words = "\n".join((sys.version, sys.prefix, *self._requirements))
        place = folder / hashlib.sha256(words.encode()).hexdigest()[:16]
        with open(f"{place}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / "is-complete").exists():
                self._install(place)
        self.program = place / "bin" / "openstack"

    def _install(self, place):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True, timeout=INSTALL_SECONDS)
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self._requirements]
        done = subprocess.run(
            [str(place / "bin" / "python"), *words],
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{self._requirements}: {done.stdout}{done.stderr}")
        (place / "is-complete").touch()
