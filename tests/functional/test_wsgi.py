"""``glance_mini.wsgi:application`` as another WSGI server loads it."""

import os
import subprocess
import sys
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf as configuration
from glance_mini.cmd.manage_database import migrate
from glance_mini.standalone.state import StateDirectory

SCRIPT = """
import sys, threading
import webob
sys.argv = ["server", "--unknown-to-us"]
from glance_mini.wsgi import application
assert "sqlalchemy" not in sys.modules, "importing built something"
answers = []
def ask(path):
    answers.append(webob.Request.blank(path).get_response(application).status_int)
threads = [threading.Thread(target=ask, args=(path,)) for path in ["/", "/v2/images"] * 3]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(answers))
"""


class WSGIApplicationTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.environ = {**os.environ, "XDG_STATE_HOME": str(self.root)}

    def _run(self):
        words = [sys.executable, "-c", SCRIPT]
        return subprocess.run(words, env=self.environ, capture_output=True, text=True, timeout=60, check=False)

    def test_it_is_built_at_the_first_call_from_the_configuration_that_commands_use(self):
        state = StateDirectory(self.root / "glance-mini")
        state.create()
        state.prepare_clients("http://127.0.0.1:9292", None)
        migrate(configuration.load(files=[state.config_file]))
        done = self._run()
        self.assertEqual("[300, 300, 300, 401, 401, 401]", done.stdout.strip(), done.stderr)

    def test_missing_configuration_is_reported(self):
        self.assertIn("There is no configuration", self._run().stderr)
