"""A program that uses the storage library under its other names, with fresh stores for each test."""

import hashlib
import io
from pathlib import Path

from fixtures import MonkeyPatch, TempDir
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import location

DATA = b"0123456789"
MD5 = hashlib.md5(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()


class CompatTestCase(TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(TempDir()).path)
        self.useFixture(MonkeyPatch("glance_mini_store.compat.loaded._loaded", {}))
        for name in ("SCHEME_TO_CLS_MAP", "SCHEME_TO_CLS_BACKEND_MAP"):
            kept = getattr(location, name)
            before = dict(kept)
            self.addCleanup(lambda kept=kept, before=before: (kept.clear(), kept.update(before)))

    def conf(self, text=""):
        """Return a configuration whose file has ``text``, in which ROOT is a fresh directory."""
        path = self.root / "program.conf"
        path.write_text(text.replace("ROOT", str(self.root)))
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(path)], default_config_files=[])
        return conf


class Verifier:
    """Keeps what it gets."""

    def __init__(self):
        self.seen = b""

    def update(self, data):
        self.seen += data


def data():
    return io.BytesIO(DATA)
