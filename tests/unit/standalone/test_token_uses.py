"""When tokens were last used: what is written, how often, and what another process keeps."""

import json
import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import fixtures
import testtools

from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.token_uses import TokenUses, read_uses
from glance_mini.standalone.users import User, change_users, hash_token

DEADLINE = 30.0


class TokenUsesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.users, self.path = self.folder / "users.json", self.folder / "uses.json"
        self.tokens = [f"token {number}" for number in range(8)]
        user = User("ann").with_role("lab", ("member",))
        for token in self.tokens:
            user = user.with_token(token, "lab", token.replace(" ", "-"))
        change_users(self.users, lambda users: users.add(user))
        self.digests = [hash_token(token) for token in self.tokens]

    def test_a_use_is_written_and_the_users_file_is_not(self):
        before = os.stat(self.users)
        uses = TokenUses(self.users, self.path)
        uses.note(self.digests[0])
        uses.write()
        [(digest, when)] = read_uses(self.path).items()
        self.assertEqual(self.digests[0], digest)
        self.assertTrue(timedelta(0) <= utcnow() - when < timedelta(seconds=DEADLINE), when)
        self.assertEqual(
            (before.st_ino, before.st_mtime_ns), (os.stat(self.users).st_ino, os.stat(self.users).st_mtime_ns)
        )

    def test_nothing_is_written_without_a_new_use(self):
        uses = TokenUses(self.users, self.path)
        uses.write()
        self.assertFalse(self.path.exists())
        uses.note(self.digests[0])
        uses.write()
        before = self.path.stat().st_ino, self.path.stat().st_mtime_ns
        uses.write()
        self.assertEqual(before, (self.path.stat().st_ino, self.path.stat().st_mtime_ns))

    def test_later_use_by_another_process_stays(self):
        late = "2126-01-02T03:04:05Z"
        self.path.write_text(json.dumps({self.digests[0]: late, self.digests[1]: late}))
        uses = TokenUses(self.users, self.path)
        uses.note(self.digests[0])
        uses.write()
        self.assertEqual({self.digests[0]: late, self.digests[1]: late}, json.loads(self.path.read_text()))

    def test_writers_at_once_lose_no_use(self):
        ready = threading.Barrier(len(self.digests))

        def use(digest):
            uses = TokenUses(self.users, self.path)
            uses.note(digest)
            ready.wait(DEADLINE)
            uses.write()

        threads = [threading.Thread(target=use, args=(digest,)) for digest in self.digests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(set(self.digests), set(read_uses(self.path)))

    def test_token_that_is_gone_is_forgotten(self):
        uses = TokenUses(self.users, self.path)
        uses.note(self.digests[0])
        uses.note(self.digests[1])
        change_users(self.users, lambda users: users.add(users.get("ann").without_token("token-0")))
        uses.write()
        self.assertEqual({self.digests[1]}, set(read_uses(self.path)))

    def test_running_it_writes_without_help_and_its_end_writes_the_rest(self):
        uses = TokenUses(self.users, self.path, interval=0.05)
        uses.start()
        uses.note(self.digests[0])
        deadline = time.monotonic() + DEADLINE
        while self.digests[0] not in read_uses(self.path):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        uses.close()
        uses = TokenUses(self.users, self.path, interval=DEADLINE * 10)
        uses.start()
        uses.note(self.digests[1])
        uses.close()
        self.assertEqual(set(self.digests[:2]), set(read_uses(self.path)))

    def test_folder_that_cannot_be_written_costs_a_warning_only(self):
        log = self.useFixture(fixtures.FakeLogger())
        uses = TokenUses(self.users, self.folder / "missing" / "uses.json")
        uses.note(self.digests[0])
        uses.close()
        self.assertIn("The last use of tokens cannot be recorded", log.output)

    def test_broken_file_is_named(self):
        for content in ("{", "[]", '{"a": "yesterday"}', '{"a": 1}'):
            self.path.write_text(content)
            self.assertIn(str(self.path), str(self.assertRaises(ConfigurationError, read_uses, self.path)))
