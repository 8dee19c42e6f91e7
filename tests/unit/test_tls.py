"""A context follows its files, and keeps the last good ones."""

import os
from pathlib import Path
from unittest import mock

import fixtures
import testtools

from glance_mini import tls
from glance_mini.operations.base import Role
from glance_mini.registry.authority import Authority


class FollowedContextTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.authority = Authority(self.folder)
        self.pair = self.authority.issue("api1", (Role.API,))
        files = [str(path) for path in (self.authority.files.certificate, self.pair.certificate, self.pair.key)]
        self.useFixture(fixtures.MonkeyPatch("glance_mini.tls.LOOK_SECONDS", 0.0))
        self.followed = tls.FollowedContext(lambda: tls.client_context(*files), files)

    def test_the_context_stays_while_the_files_stay(self):
        first = self.followed.current()
        self.assertIs(first, self.followed.current())

    def test_new_files_make_a_new_context(self):
        first = self.followed.current()
        self.authority.issue("api1", (Role.API,), renew=True)
        second = self.followed.current()
        self.assertIsNot(first, second)
        self.assertIs(second, self.followed.current())

    def test_a_certificate_without_its_key_waits_for_it(self):
        first, key = self.followed.current(), self.pair.key.read_bytes()
        self.authority.issue("api1", (Role.API,), renew=True)
        new, later = self.pair.key.read_bytes(), self.folder / "later"
        self.pair.key.write_bytes(key)
        with self.assertLogs("glance_mini.tls", "WARNING"):
            self.assertIs(first, self.followed.current())
        later.write_bytes(new)
        os.replace(later, self.pair.key)
        self.assertIsNot(first, self.followed.current())

    def test_a_file_that_is_gone_for_a_while_does_no_harm(self):
        first = self.followed.current()
        data = self.pair.certificate.read_bytes()
        self.pair.certificate.unlink()
        self.assertIs(first, self.followed.current())
        self.pair.certificate.write_bytes(data)
        self.assertIsNot(first, self.followed.current())

    def test_the_files_are_looked_at_once_in_a_while(self):
        self.useFixture(fixtures.MonkeyPatch("glance_mini.tls.LOOK_SECONDS", 3600.0))
        self.followed.current()
        self.authority.issue("api1", (Role.API,), renew=True)
        with mock.patch("os.stat", side_effect=AssertionError):
            self.followed.current()

    def test_files_that_cannot_be_used_at_first_are_an_error(self):
        missing = str(self.folder / "missing")
        self.assertRaises(OSError, tls.FollowedContext, lambda: tls.server_context(missing, missing), [missing])
