"""Calls that schemathesis makes up from the service's own OpenAPI document."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import requests

from tests.integration.served import Served

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
USERS = {"root": ("lab", "admin"), "alice": ("lab", "member")}
CALLERS = (("root", False), ("root", True), ("alice", True))
"""Users who make calls, and whether all their calls about an image are about one that exists."""

_GENERATED = re.compile(r"([0-9]+) generated")


def served(database=None):
    """Return the service for such calls, which is not started; ``database`` is the address of an empty database."""
    more = f"[database]\nconnection = {database}\n" if database else ""
    return Served(f"[DEFAULT]\nshow_multiple_locations = true\n{more}", users=USERS)


def make_calls(service, user, is_about_one_image, examples, seed=1):
    """Make calls as ``user`` and return how many; ``examples`` is the most of each kind of call for random data.

    The same ``seed`` makes the same calls. Raises AssertionError where an answer is 5xx or the log has a traceback.
    """
    line = [
        os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
        *("run", f"{service.url}/openapi.json"),
        *("--header", f"X-Auth-Token: {service.tokens[user]}"),
        *("--checks", "not_a_server_error"),
        *("--suppress-health-check", "all"),
        *("--request-timeout", "30"),
        *("--max-examples", str(examples), "--seed", str(seed)),
        # An answer without an end; ``tests.functional.test_events`` is about it.
        *("--exclude-path", "/v2/events"),
        *("--generation-database", "none", "--continue-on-failure", "--no-color"),
    ]
    if is_about_one_image:
        _know_a_shared_image(service)
        line.extend(("--exclude-method", "DELETE"))
    where = {"cwd": service.root, "env": {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}}
    done = subprocess.run(line, **where, capture_output=True, text=True, check=False)
    log = service.log.read_text()
    if done.returncode or "Traceback" in log:
        raise AssertionError(f"{done.stdout}\n{done.stderr}\n{log}")
    return sum(map(int, _GENERATED.findall(done.stdout)))


def _know_a_shared_image(service):
    """Make an image with data and a member, and let every call be about it."""
    image = _ask(service, "POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()
    _ask(service, "PUT", image["file"], data=b"content", headers={"Content-Type": "application/octet-stream"})
    _ask(service, "POST", f"/v2/images/{image['id']}/members", json={"member": "other"})
    parameters = f'"path.image_id" = "{image["id"]}"\n"path.member_id" = "other"\n'
    (service.root / "schemathesis.toml").write_text(f"[parameters]\n{parameters}")


def _ask(service, method, path, **arguments):
    headers = {"X-Auth-Token": service.tokens["alice"], **arguments.pop("headers", {})}
    answer = requests.request(method, service.url + path, headers=headers, timeout=30, **arguments)
    if answer.status_code >= 300:
        raise AssertionError(answer.text)
    return answer
