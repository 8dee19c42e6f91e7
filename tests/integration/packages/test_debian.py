"""The Debian package is built, installed on a clean system, used by its units and removed there."""

import os
import shutil
import tempfile
from pathlib import Path

from tests.integration.packages.base import PACKAGING, PackagingCase

SCRIPT = r"""
set -eu
mount -t proc proc /proc
dpkg --install /tmp/glance-mini.deb
test "$(stat -c '%U %a' /var/lib/glance-mini)" = "glance-mini 700"
test -s /usr/share/glance-mini/glance-mini.conf.sample
test -s /usr/share/bash-completion/completions/glance-mini-manage
as="setpriv --reuid glance-mini --regid glance-mini --clear-groups"
cat >/etc/glance-mini/registry.conf <<END
[database]
connection = sqlite:////var/lib/glance-mini/registry.db
[registry_service]
bind = 127.0.0.1:9191
certificate = /etc/glance-mini/tls/node1.pem
key = /etc/glance-mini/tls/node1-key.pem
client_ca = /etc/glance-mini/tls/ca.pem
END
glance-mini-manage registry certificates /etc/glance-mini/tls node1 --address 127.0.0.1 \
    --config-file /etc/glance-mini/registry.conf
chown -R glance-mini /etc/glance-mini/tls
python3 /tmp/units.py glance-mini.service glance-mini-worker.service
$as glance-mini-manage db sync --config-file /etc/glance-mini/registry.conf
python3 /tmp/units.py glance-mini-registry.service
$as glance-mini-manage store verify --state /var/lib/glance-mini
dpkg --remove glance-mini
test ! -e /usr/lib/glance-mini
test ! -e /usr/bin/glance-mini
test -n "$(ls /var/lib/glance-mini/images)"
echo "the images have stayed"
"""

UNITS = {
    "glance-mini.service": "/usr/bin/glance-mini serve --no-worker --state /var/lib/glance-mini",
    "glance-mini-worker.service": "/usr/bin/glance-mini-worker --state /var/lib/glance-mini",
    "glance-mini-registry.service": "/usr/bin/glance-mini-registry serve --config-file /etc/glance-mini/registry.conf",
}
"""The units and what they start with the files of the package."""


class TestDebianPackage(PackagingCase):
    def test_package_is_installed_used_and_removed_on_a_clean_system(self):
        if os.geteuid():
            self.lacks("only root enters the clean system")
        work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, work)
        environment = {**os.environ, "EXTRAS": "metadefs,registry", "PYTHON": "/usr/bin/python3"}
        self.run_program(PACKAGING / "debian" / "build", work, env=environment)
        [package] = work.glob("glance-mini_*.deb")
        root = work / "root"
        self.run_program("cp", "--archive", self.clean, root)
        shutil.copy(package, root / "tmp" / "glance-mini.deb")
        (root / "tmp" / "script").write_text(SCRIPT)
        shutil.copy(Path(__file__).with_name("units.py"), root / "tmp" / "units.py")
        printed = self.run_program(
            *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--propagation", "private"),
            *("chroot", root, "/bin/bash", "/tmp/script"),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        for name, command in UNITS.items():
            self.assertIn(f"starts: {command}\n", printed)
            self.assertIn(f"{name} ended with 0\n", printed)
        self.assertIn("the image came back", printed)
        self.assertIn("the worker imported", printed)
        self.assertIn("the images have stayed", printed)
