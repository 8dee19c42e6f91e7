"""The reason of a refusal as unmodified clients show it: every status, in the form that each of them asks for."""

import io
import json
import subprocess
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import fixtures
import glanceclient
import openstack
import testtools
import yaml
from glanceclient import exc as glance_errors

from glance_mini.api.errors import text_response
from glance_mini.api.middleware.versions import VersionNegotiation
from glance_mini.api.response import json_response
from tests.functional.service import Client

STATUSES = (400, 403, 404, 409, 413, 415, 503)


def reason_of(status):
    return f"This is why: {status}, and so it is."


def refusing(environ, start_response):
    """Show the image whose id is a status, and refuse everything else that is done to it with that status."""
    parts = environ["PATH_INFO"].split("/")
    status, length = parts[3] if len(parts) > 3 else "404", int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"].read(length)
    if environ["REQUEST_METHOD"] == "GET" and len(parts) == 4:
        image = {"id": status, "name": "disk", "status": "queued", "visibility": "shared", "checksum": None, "tags": []}
        answer = json_response({**image, "schema": "/v2/schemas/image", "file": f"/v2/images/{status}/file"})
    elif parts[2] == "schemas":
        answer = json_response({"name": "image", "properties": {"id": {}, "name": {"type": "string"}}})
    else:
        answer = text_response(int(status), reason_of(status), environ.get("HTTP_ACCEPT"))
    return answer(environ, start_response)


class _Handler(WSGIRequestHandler):
    def log_message(self, *words):
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class TestReasons(testtools.TestCase):
    def setUp(self):
        super().setUp()
        app = VersionNegotiation(refusing, multi_store=True, public_endpoint=None, has_identity=False)
        server = make_server("127.0.0.1", 0, app, _Server, _Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
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
