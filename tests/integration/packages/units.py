"""Runs in a clean Debian with the package installed: starts units as systemd would, uses them and ends them.

It has only the standard library. Of the hardening it applies what needs no systemd: the user, the umask, no privileges,
and a file system that is read-only but for the paths of the unit. Its arguments are the units in their order.
"""

import configparser
import fcntl
import json
import os
import re
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.request as web
from pathlib import Path

BASE = "http://127.0.0.1:9292"
ROOT = "/mnt"
SECONDS = 60


def main(names):
    bring_up_loopback()
    units = {name: read(name) for name in names}
    protect([path for unit in units.values() for path in unit["ReadWritePaths"].split()])
    running = {}
    for name, unit in units.items():
        running[name] = start(unit)
        if name == "glance-mini.service":
            wait_for("the API", lambda: web.urlopen(BASE + "/healthcheck", timeout=5))
        elif name == "glance-mini-registry.service":
            wait_for("the registry", lambda: ssl.get_server_certificate(("127.0.0.1", 9191), timeout=5))
    if "glance-mini.service" in units:
        use()
    for name, unit in units.items():
        if "ExecReload" in unit:
            words = [word.replace("${MAINPID}", str(running[name].pid)) for word in shlex.split(unit["ExecReload"])]
            subprocess.run(words, check=True)
    time.sleep(2)
    for name, process in running.items():
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode}")
        process.send_signal(signal.SIGTERM)
        print(name, "ended with", process.wait(SECONDS), flush=True)


def bring_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def read(name):
    """Return the section of a unit that says how it runs, with the last of several equal settings."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(f"/lib/systemd/system/{name}")
    return parser["Service"]


def protect(writable):
    """Show the file system below ROOT as the units see it."""
    run = subprocess.check_call
    run(["mount", "--bind", "/", ROOT])
    run(["mount", "-o", "remount,bind,ro", ROOT])
    for path in dict.fromkeys(writable):
        run(["mount", "--bind", path, ROOT + path])
    run(["mount", "-t", "tmpfs", "tmp", ROOT + "/tmp"])
    run(["mount", "-t", "proc", "proc", ROOT + "/proc"])


def start(unit):
    """Start exactly the ``ExecStart`` of a unit."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    for setting in shlex.split(unit.get("Environment", "")):
        name, _, value = setting.partition("=")
        environment[name] = value
    file = Path(unit["EnvironmentFile"].removeprefix("-"))
    for line in file.read_text().splitlines() if file.exists() else ():
        if re.match(r"\w+=", line):
            name, _, value = line.partition("=")
            environment[name] = shlex.split(value)[0]
    words = []
    for word in shlex.split(unit["ExecStart"]):
        variable = re.fullmatch(r"\$(\w+)", word)
        words += environment.get(variable[1], "").split() if variable else [word]
    own = ["chroot", ROOT, "setpriv", "--reuid", unit["User"], "--regid", unit["Group"], "--clear-groups"]
    own += ["--no-new-privs", "--bounding-set=-all"]
    print("starts:", *words, flush=True)
    return subprocess.Popen([*own, *words], env=environment, umask=int(unit["UMask"], 8), cwd="/")


def wait_for(what, look):
    end = time.monotonic() + SECONDS
    while True:
        try:
            return look()
        except OSError as error:
            if time.monotonic() > end:
                raise SystemExit(f"{what} does not answer: {error}") from error
            time.sleep(0.2)


def use():
    """Upload an image, read it back, and let the worker import another one."""
    token = re.search(r"token: (\S+)", Path("/var/lib/glance-mini/clouds.yaml").read_text())[1]

    def ask(method, path, data=None, kind="application/json"):
        headers = {"X-Auth-Token": token, "Content-Type": kind}
        return web.urlopen(web.Request(BASE + path, data=data, method=method, headers=headers), timeout=30).read()

    def create():
        return json.loads(ask("POST", "/v2/images", b'{"disk_format": "raw", "container_format": "bare"}'))["id"]

    image, data, raw = create(), os.urandom(1000000), "application/octet-stream"
    ask("PUT", f"/v2/images/{image}/file", data, raw)
    assert ask("GET", f"/v2/images/{image}/file") == data
    print("the image came back", flush=True)
    image = create()
    ask("PUT", f"/v2/images/{image}/stage", data, raw)
    ask("POST", f"/v2/images/{image}/import", b'{"method": {"name": "glance-direct"}}')
    end = time.monotonic() + SECONDS
    while json.loads(ask("GET", f"/v2/images/{image}"))["status"] != "active":
        assert time.monotonic() < end, "the worker did not import"
        time.sleep(0.2)
    print("the worker imported", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
