"""No call that schemathesis makes up from the service's own OpenAPI document is answered with 5xx."""

import os
import subprocess
import sysconfig
from pathlib import Path

import fixtures
import testtools

from tests.functional.service import Service

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
SECONDS = 300


class OpenAPITest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.service = self.useFixture(Service(self.directory / "state"))

    def attack(self, *words, configuration=""):
        """Run schemathesis on the whole document and demand that it finds nothing."""
        (self.directory / "schemathesis.toml").write_text(configuration)
        url = self.service.cloud["image_endpoint_override"]
        line = [
            os.path.join(sysconfig.get_path("scripts"), "schemathesis"),
            *("run", f"{url}/openapi.json"),
            *("--header", f"X-Auth-Token: {self.service.token}"),
            *("--checks", "not_a_server_error"),
            *("--suppress-health-check", "all"),
            *("--request-timeout", "30"),
            *("--max-examples", "50"),
            *("--generation-deterministic", "--continue-on-failure", "--no-color"),
            *words,
        ]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
        done = subprocess.run(
            line, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        self.assertEqual(0, done.returncode, f"{done.stdout}\n{done.stderr}\n{self.service.log.read_text()}")

    def test_no_call_fails_the_server(self):
        self.attack()

    def test_no_call_on_an_image_that_exists_fails_the_server(self):
        image = self.service.create_image()
        self.service.upload(image, b"data")
        configuration = f'[parameters]\n"path.image_id" = "{image}"\n'
        self.attack("--exclude-method", "DELETE", configuration=configuration)
