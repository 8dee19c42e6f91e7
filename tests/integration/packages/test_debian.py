"""The Debian package is built, installed on a clean system, used and removed there."""

import os
import shutil
import tempfile
from pathlib import Path

from tests.integration.packages.base import PACKAGING, PackagingCase
from tests.ports import free_port

SCRIPT = r"""
set -eu
mount -t proc proc /proc
dpkg --install /tmp/glance-mini.deb
test "$(stat -c '%U %a' /var/lib/glance-mini)" = "glance-mini 700"
test -s /usr/share/glance-mini/glance-mini.conf.sample
test -s /usr/share/bash-completion/completions/glance-mini-manage
. /etc/default/glance-mini
as="setpriv --reuid glance-mini --regid glance-mini --clear-groups"
$as glance-mini serve --no-worker $GLANCE_MINI --bind 127.0.0.1:@PORT@ --workers 1 >/tmp/log 2>&1 &
service=$!
cat >/tmp/use.py <<'END'
import json, re, time, urllib.request as web

base = "http://127.0.0.1:@PORT@"
for _ in range(100):
    try:
        web.urlopen(base + "/healthcheck")
        break
    except OSError:
        time.sleep(0.3)
token = re.search(r"token: (\S+)", open("/var/lib/glance-mini/clouds.yaml").read())[1]

def ask(method, path, data=None, kind="application/json"):
    headers = {"X-Auth-Token": token, "Content-Type": kind}
    return web.urlopen(web.Request(base + path, data=data, method=method, headers=headers)).read()

image = json.loads(ask("POST", "/v2/images", b'{"disk_format": "raw", "container_format": "bare"}'))["id"]
ask("PUT", f"/v2/images/{image}/file", b"data" * 1000, "application/octet-stream")
assert ask("GET", f"/v2/images/{image}/file") == b"data" * 1000
print("the image came back")
END
python3 /tmp/use.py
$as glance-mini-manage store verify $GLANCE_MINI
kill "$service"
wait "$service" || true
dpkg --remove glance-mini
test ! -e /usr/lib/glance-mini
test ! -e /usr/bin/glance-mini
test -n "$(ls /var/lib/glance-mini/images)"
echo "the images have stayed"
"""


class TestDebianPackage(PackagingCase):
    def test_package_is_installed_used_and_removed_on_a_clean_system(self):
        if os.geteuid():
            self.lacks("only root enters the clean system")
        work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, work)
        environment = {**os.environ, "EXTRAS": "metadefs", "PYTHON": "/usr/bin/python3"}
        self.run_program(PACKAGING / "debian" / "build", work, env=environment)
        [package] = work.glob("glance-mini_*.deb")
        root = work / "root"
        self.run_program("cp", "--archive", self.clean, root)
        shutil.copy(package, root / "tmp" / "glance-mini.deb")
        (root / "tmp" / "script").write_text(SCRIPT.replace("@PORT@", str(free_port())))
        printed = self.run_program(
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
            *("chroot", root, "/bin/bash", "/tmp/script"),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        self.assertIn("the image came back", printed)
        self.assertIn("the images have stayed", printed)
