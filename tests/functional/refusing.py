"""A service that shows images whose ids are statuses, and refuses everything else that is done to them so."""

import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import fixtures

from glance_mini.api.errors import text_response
from glance_mini.api.middleware.versions import VersionNegotiation
from glance_mini.api.response import json_response

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


class RefusingService(fixtures.Fixture):
    """The service in a thread; ``url`` is where it answers."""

    def _setUp(self):
        app = VersionNegotiation(refusing, multi_store=True, has_cache=False, public_endpoint=None, has_identity=False)
        server = make_server("127.0.0.1", 0, app, _Server, _Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
