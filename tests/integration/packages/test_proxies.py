"""The examples for nginx and HAProxy, with the programs themselves in front of the service."""

import json
import re
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import requests
from fixtures import TempDir

from glance_mini.standalone.state import StateDirectory
from tests.functional.service import Service
from tests.http_server.running import eventually
from tests.integration.packages.base import PACKAGING, PackagingCase
from tests.ports import free_port

MIB = 1024 * 1024
LARGE = 192 * MIB
MOST_MEMORY = 96 * MIB
CAP = 256 * MIB
SETTINGS = """
[oslo_middleware]
enable_proxy_headers_parsing = true
"""
NGINX = """
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/answers;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""


class ProxyCase:
    """``start_proxy`` starts the proxy in ``directory``, which listens on ``port``."""

    def setUp(self):
        super().setUp()
        self.directory = Path(self.useFixture(TempDir()).path)
        self.directory.chmod(0o755)
        state = StateDirectory(Path(self.useFixture(TempDir()).path) / "state")
        state.create()
        text = state.config_file.read_text().replace("[DEFAULT]\n", f"[DEFAULT]\nimage_size_cap = {CAP}\n")
        state.config_file.write_text(text + SETTINGS)
        self.access_log = state.access_log
        self.node = self.useFixture(Service(state.path, "--no-worker"))
        self.port = free_port()
        self.process = self.start_proxy()
        self.addCleanup(self.process.wait, 20)
        self.addCleanup(self.process.terminate)
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers = {"X-Auth-Token": self.node.token}
        eventually(self.answers, "the proxy answers")

    def answers(self):
        try:
            return requests.get(f"{self.url}/healthcheck", timeout=5).ok
        except requests.ConnectionError:
            return False

    def example(self, name, port):
        """Return an example with our ports in the place of its own."""
        text = (PACKAGING / "proxies" / name).read_text()
        return text.replace("127.0.0.1:9292", f"127.0.0.1:{self.node.port}").replace(
            f"127.0.0.1:{port}", f"127.0.0.1:{self.port}"
        )

    def begin(self, image, *headers, source="127.0.0.1"):
        """Return a connection to the proxy on which the head of an upload was sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))
        self.addCleanup(client.close)
        lines = [
            f"PUT /v2/images/{image}/file HTTP/1.1",
            "Host: images",
            f"X-Auth-Token: {self.node.token}",
            "Content-Type: application/octet-stream",
            *headers,
        ]
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        return client

    def memory(self):
        """Return the bytes that all processes of the proxy hold."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in (self.process.pid, *children)]
        return sum(1024 * int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in texts)

    def kept(self):
        """Return the data files in the directory of the proxy."""
        names = ("pid", "error.log", "nginx.conf", "site.conf", "haproxy.cfg")
        return [path for path in self.directory.rglob("*") if path.is_file() and path.name not in names]

    def test_upload_reaches_the_service_while_it_arrives(self):
        for framing in ("Content-Length", "chunked"):
            image = self.node.create_image()
            block = b"x" * MIB
            if framing == "chunked":
                client = self.begin(image, "Transfer-Encoding: chunked")
                block = b"%x\r\n" % MIB + block + b"\r\n"
            else:
                client = self.begin(image, f"Content-Length: {32 * MIB}")
            for _ in range(16):
                client.sendall(block)
            eventually(partial(self.has_begun, image), "the service has a part of the upload")
            self.assertEqual([], self.kept())
            for _ in range(16):
                client.sendall(block)
            client.sendall(b"0\r\n\r\n" if framing == "chunked" else b"")
            self.assertIn(b" 204 ", client.recv(4096).partition(b"\r\n")[0])

    def has_begun(self, image):
        """Return whether the service has written a part of the data of an image."""
        return any(image in path.name and path.stat().st_size >= 4 * MIB for path in self.node.stored_files())

    def test_large_image_goes_both_ways_and_is_kept_nowhere(self):
        image = self.node.create_image()
        data = (bytes(MIB) for _ in range(LARGE // MIB))
        headers = {**self.headers, "Content-Type": "application/octet-stream"}
        self.assertEqual(
            204, requests.put(f"{self.url}/v2/images/{image}/file", data=data, headers=headers).status_code
        )
        self.assertLess(self.memory(), MOST_MEMORY)
        with requests.get(f"{self.url}/v2/images/{image}/file", headers=self.headers, stream=True) as answer:
            chunks = answer.iter_content(MIB)
            received = len(next(chunks))
            # The client rests: what the proxy would store it stores now.
            time.sleep(1)
            self.assertLess(self.memory(), MOST_MEMORY)
            self.assertEqual([], self.kept())
            self.assertEqual(LARGE, received + sum(map(len, chunks)))
        part = requests.get(f"{self.url}/v2/images/{image}/file", headers={**self.headers, "Range": "bytes=5-9"})
        self.assertEqual((206, bytes(5)), (part.status_code, part.content))

    def test_image_that_is_too_large_is_refused_before_its_bytes(self):
        image = self.node.create_image()
        client = self.begin(image, f"Content-Length: {CAP + 1}", "Expect: 100-continue")
        heads = self.heads(client, 413)
        self.assertIn(heads, self.refusals)

    refusals = ([413],)

    def test_upload_is_asked_for_when_the_client_waits(self):
        image = self.node.create_image()
        client = self.begin(image, "Content-Length: 4", "Expect: 100-continue")
        self.assertEqual([100], self.heads(client, 100))
        client.sendall(b"data")
        self.assertEqual([204], self.heads(client, 204))

    def heads(self, client, last):
        """Return the statuses up to ``last``."""
        received, found = b"", []
        while last not in found:
            part = client.recv(4096)
            self.assertTrue(part, f"the connection ended after {received!r}")
            received += part
            found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
        return found

    def test_client_cannot_choose_its_address(self):
        image = self.node.create_image()
        forged = ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6;host=evil", "X-Forwarded-Host: evil"]
        client = self.begin(image, "Content-Length: 4", *forged, source="127.0.0.7")
        client.sendall(b"data")
        self.assertEqual([204], self.heads(client, 204))
        eventually(lambda: f"PUT /v2/images/{image}/file" in self.access_log.read_text(), "the request is in the log")
        [line] = [each for each in self.access_log.read_text().splitlines() if f"PUT /v2/images/{image}/file" in each]
        self.assertEqual("127.0.0.7", line.split()[1])
        names = {"X-Forwarded-Host": "evil", "X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil"}
        versions = requests.get(f"{self.url}/versions", headers=names)
        self.assertNotIn("evil", versions.text)
        self.assertIn(f"127.0.0.1:{self.port}", json.dumps(versions.json()))

    def test_metrics_are_not_for_clients(self):
        self.assertEqual(404, requests.get(f"{self.url}/metrics").status_code)
        self.assertEqual(200, requests.get(f"http://127.0.0.1:{self.node.port}/metrics").status_code)


class TestNginx(ProxyCase, PackagingCase):
    # nginx itself asks for the body as soon as it passes a request on.
    refusals = ([413], [100, 413])

    def start_proxy(self):
        (self.directory / "site.conf").write_text(self.example("nginx.conf", 8080))
        (self.directory / "nginx.conf").write_text(NGINX.format(directory=self.directory))
        return subprocess.Popen(["/usr/sbin/nginx", "-c", str(self.directory / "nginx.conf")])


class TestHaproxy(ProxyCase, PackagingCase):
    def start_proxy(self):
        path = self.directory / "haproxy.cfg"
        path.write_text(self.example("haproxy.cfg", 8081))
        return subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(path)])
