"""A program that uses the service through gophercloud, the library of Terraform and Kubernetes, and what it prints."""

import hashlib
import os
import subprocess
from pathlib import Path

import fixtures

from tests.functional.faults import use_for_class
from tests.functional.refusing import STATUSES, RefusingService, reason_of
from tests.integration.clients.test_clients_keystone import KeystoneTestCase
from tests.integration.served import Served

SOURCE = Path(__file__).parent / "gophercloud" / "main.go"
GO = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "CGO_ENABLED": "0"}
CONTENT = b"the content of a disk"
SIZE = len(CONTENT)
LIFE = f"""\
created queued shared 2 leap
uploaded active {SIZE} {hashlib.md5(CONTENT).hexdigest()}
downloaded true
changed renamed 2 blue <nil>
listed 3
found 1
shared true pending
members 1
methods [glance-direct web-download copy-image]
staged uploading
imported {SIZE} true
deleted 0
gone Resource not found"""

WITHOUT_REASON = {
    "404": "Resource not found",
    "503": "The service is currently unable to handle the request due to a temporary overloading or maintenance. "
    "This is a temporary condition. Try again later.",
}
"""What gophercloud says of these statuses, whatever the reason; a program finds that in the ``Body`` of the error."""


class GophercloudTest(KeystoneTestCase):
    program = None

    def setUp(self):
        super().setUp()
        self.service("gophercloud")
        if self.program is None:
            self._build()

    @classmethod
    def _build(cls):
        """Compile the program once for all tests of the class."""
        cls.root = Path(use_for_class(cls, fixtures.TempDir()).path)
        run(["go", "build", "-o", str(cls.root / "main"), str(SOURCE)], 300, GOCACHE=str(cls.root / "cache"), **GO)
        cls.program = str(cls.root / "main")

    def test_image_lives_without_keystone(self):
        service = self.useFixture(Served("", users={"alice": ("lab", "member")}))
        self.assert_lives("other", ENDPOINT=service.url, TOKEN=service.tokens["alice"])

    def test_image_lives_with_keystone(self):
        self.start()
        login = self.cloud.login("alice")
        names = {"auth_url": "OS_AUTH_URL", "username": "OS_USERNAME", "password": "OS_PASSWORD"}
        names |= {"project_name": "OS_PROJECT_NAME", "user_domain_id": "OS_DOMAIN_ID"}
        variables = {variable: login[name] for name, variable in names.items()}
        self.assert_lives(self.cloud.project_id("bob"), **variables, OS_REGION_NAME=self.cloud.region)

    def test_reason_of_a_refusal_is_shown(self):
        service = self.useFixture(RefusingService())
        lines = self.run_program("refusals", *map(str, STATUSES), ENDPOINT=service.url, TOKEN="t").splitlines()
        self.assertEqual(4 * len(STATUSES), len(lines))
        for line in lines:
            status, _, text = line.split(" ", 2)
            self.assertIn(reason_of(status), text)
            self.assertEqual(WITHOUT_REASON.get(status), WITHOUT_REASON.get(status) and text.split(" / ")[0])

    def assert_lives(self, other_project, **variables):
        """Let an image go through its life, shared with another project; all that is printed is as expected."""
        printed = self.run_program("life", other_project, **variables)
        self.assertEqual(LIFE, printed.strip())

    def run_program(self, *words, **variables):
        """Return what the program printed."""
        return run([self.program, *words], 60, **variables)


def run(command, seconds, **variables):
    """Return what a command printed which has no variables of OpenStack but those given; raises where it failed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout
