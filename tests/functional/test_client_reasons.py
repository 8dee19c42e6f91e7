"""The reason of a refusal as unmodified clients show it: every status, in the form that each of them asks for."""

import io
import json
import subprocess
from pathlib import Path

import fixtures
import glanceclient
import openstack
import testtools
import yaml
from glanceclient import exc as glance_errors

from tests.functional.refusing import STATUSES, RefusingService, reason_of
from tests.functional.service import Client


class TestReasons(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.url = self.useFixture(RefusingService()).url
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        auth = {"endpoint": self.url, "token": "t"}
        cloud = {"auth_type": "admin_token", "auth": auth, "token": "t", "image_endpoint_override": self.url}
        cloud |= {"image_api_version": "2", "image_status_code_retries": 0}
        self.clouds = self.root / "clouds.yaml"
        self.clouds.write_text(yaml.safe_dump({"clouds": {"glance-mini": cloud}}))

    def test_openstack_shows_it(self):
        client = self.useFixture(Client(self.clouds))
        client._environ = {**client._environ, "OS_CLOUD": "glance-mini"}
        file = self.root / "data"
        file.write_bytes(b"abc")
        for command in ("image set --name x {}", f"image stage --file {file} {{}}"):
            done = client._run("openstack", input="".join(f"{command.format(status)}\n" for status in STATUSES))
            for status in STATUSES:
                self.assertIn(reason_of(status), done.stdout + done.stderr, command)

    def test_openstacksdk_shows_it(self):
        config = openstack.config.OpenStackConfig(config_files=[str(self.clouds)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        for status in STATUSES:
            image = cloud.image.get_image(str(status))
            image.data = io.BytesIO(b"abc")
            for call in (
                lambda image=image: image.stage(cloud.image),
                lambda image=image: cloud.image.update_image(image, name="x"),
            ):
                error = self.assertRaises(openstack.exceptions.HttpException, call)
                self.assertEqual((status, reason_of(status)), (error.status_code, error.details))

    def test_glance_shows_it(self):
        glance = glanceclient.Client("2", endpoint=self.url, token="t")
        for status in STATUSES:
            for call in (
                lambda status=status: glance.images.upload(str(status), io.BytesIO(b"abc")),
                lambda status=status: glance.images.delete(str(status)),
                lambda status=status: glance.images.data(str(status)),
            ):
                error = self.assertRaises(glance_errors.HTTPException, call)
                self.assertIn(reason_of(status), str(error))

    def test_curl_shows_it(self):
        for status in STATUSES:
            words = ["curl", "--silent", "--show-error", "--request", "DELETE", f"{self.url}/v2/images/{status}"]
            page = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout
            self.assertIn(reason_of(status), page)
            words.extend(("--header", "Accept: application/json"))
            told = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout)
            self.assertEqual(reason_of(status), told["message"])
