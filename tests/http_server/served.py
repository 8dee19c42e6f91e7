"""A tiny WSGI application and the server around it, which the tests start as a process of its own.

The one argument is JSON: the fields of `ServerSettings`, and under "app" the directory with files to send. It
prints "ready" when `run` says so.
"""

import hashlib
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

from glance_mini.api.download import SentParts
from glance_mini.cmd.serve.adapter import PARTS
from glance_mini.cmd.serve.server import ServerSettings, run
from glance_mini_store.errors import SizeMismatch
from glance_mini_store.streams import FilePart

MIB = 1 << 20


def read_part(part):
    """Return the bytes of a part of a file."""
    data = os.pread(part.file.fileno(), part.length, part.offset)
    if len(data) < part.length:
        raise SizeMismatch(expected=part.length, received=len(data))
    return data


class Application:
    """One method for each path."""

    def __init__(self, directory):
        self._directory = Path(directory)
        self._ticks = 0
        self._has_started = (self._directory / f"child-{os.getpid()}").exists()
        threading.Thread(target=self._tick, daemon=True).start()

    def __call__(self, environ, start_response):
        handler = getattr(self, "do_" + environ["PATH_INFO"].strip("/"), None)
        if handler is None:
            return self.answer(start_response, "404 Not Found", {})
        arguments = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        return handler(environ, start_response, arguments)

    def log_request(self, environ, status, received, sent, seconds):
        with (self._directory / "requests").open("a") as file:
            file.write(f"{environ['PATH_INFO']} {status} {received} {sent} {seconds}\n")

    def read_again(self):
        (self._directory / "read-again").write_text(str(os.getpid()))

    def close(self):
        (self._directory / f"closed-{os.getpid()}").touch()

    def answer(self, start_response, status, value):
        text = json.dumps(value).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]

    def do_small(self, environ, start_response, arguments):
        figures = {"pid": os.getpid(), "ticks": self._ticks, "started": self._has_started}
        return self.answer(start_response, "200 OK", figures)

    def do_leave(self, environ, start_response, arguments):
        """Take the connection away and send its client a few lines from a thread of its own."""

        def take(client, head):
            threading.Thread(target=self._send_lines, args=(client, head), daemon=True).start()

        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["glance_mini.leaving"](take)

    def _send_lines(self, client, head):
        client.settimeout(60)
        client.sendall(head)
        for line in (b"one\n", b"two\n"):
            # Only a thread of the server could answer the other clients meanwhile.
            client.recv(1)
            client.sendall(line)
        client.close()

    def do_refuse(self, environ, start_response, arguments):
        return self.answer(start_response, "403 Forbidden", {"refused": True})

    def do_environ(self, environ, start_response, arguments):
        plain = {name: value for name, value in environ.items() if isinstance(value, (str, bool))}
        return self.answer(start_response, "200 OK", plain)

    def do_count(self, environ, start_response, arguments):
        """Read the body by pieces of `piece` bytes with read or readinto, as `how` says."""
        body, piece = environ["wsgi.input"], int(arguments.get("piece", MIB))
        digest, count, buffer = hashlib.sha256(), 0, bytearray(piece)
        while True:
            into = arguments.get("how") == "readinto"
            data = buffer[: body.readinto(buffer)] if into else body.read(piece)
            if not data:
                return self.answer(start_response, "200 OK", {"count": count, "sha256": digest.hexdigest()})
            count += len(data)
            digest.update(data)

    def do_lines(self, environ, start_response, arguments):
        return self.answer(start_response, "200 OK", [line.decode() for line in environ["wsgi.input"]])

    def do_parts(self, environ, start_response, arguments):
        """Answer with bytes, a part of a file, and bytes again; `lost`: the file is shorter than that by so many."""
        path, lost = self._directory / "file", int(arguments.get("lost", 0))
        size, file = path.stat().st_size, path.open("rb")
        pieces = [b"before", FilePart(file, 1000, 2000), FilePart(file, 0, size + lost), b"behind"]
        length = sum(each.length if isinstance(each, FilePart) else len(each) for each in pieces)
        start_response("200 OK", [("Content-Length", str(length))])
        chunks = (each if isinstance(each, bytes) else read_part(each) for each in pieces)
        ended = (self._directory / "parts-ended").touch
        return environ[PARTS](SentParts(iter(pieces), chunks, ended))

    def do_errors(self, environ, start_response, arguments):
        """Tell which error reading the body raised, and whether it is raised again."""
        seen = []
        for _ in range(2):
            try:
                while environ["wsgi.input"].read(MIB):
                    pass
                seen.append(None)
            except TimeoutError:
                seen.append("timeout")
            except ConnectionError:
                seen.append("broken")
        (self._directory / "errors").write_text(json.dumps(seen))
        return self.answer(start_response, "422 Unprocessable Content", seen)

    def do_file(self, environ, start_response, arguments):
        """Send a part of a file through the file wrapper."""
        path = self._directory / arguments["name"]
        offset = int(arguments.get("offset", 0))
        length = int(arguments.get("length", path.stat().st_size - offset))
        file = Bare(open(path, "rb")) if "bare" in arguments else open(path, "rb")  # noqa: SIM115
        file.read(10)
        file.seek(offset)
        start_response("200 OK", [("Content-Length", str(length))])
        return environ["wsgi.file_wrapper"](file)

    def do_stream(self, environ, start_response, arguments):
        """Send `count` MiB by a generator, as one piece each."""
        count = int(arguments["count"])
        start_response("200 OK", [("Content-Length", str(count * MIB))])
        return self._pieces(count, self._directory / "stream-closed")

    def _pieces(self, count, mark):
        try:
            for _ in range(count):
                yield b"s" * MIB
        finally:
            mark.touch()

    def do_list(self, environ, start_response, arguments):
        """Answer with `kib` KiB as one list, and note how many such answers there were."""
        with (self._directory / "lists").open("a") as file:
            file.write(".")
        data = b"l" * (int(arguments["kib"]) << 10)
        start_response("200 OK", [("Content-Length", str(len(data)))])
        return [data]

    def do_limited(self, environ, start_response, arguments):
        """Take at most `limit` bytes of a body."""
        data = environ["wsgi.input"].read(int(arguments["limit"]) + 1)
        if len(data) > int(arguments["limit"]):
            return self.answer(start_response, "413 Content Too Large", {"refused": True})
        return self.answer(start_response, "200 OK", {"count": len(data)})

    def do_sleep(self, environ, start_response, arguments):
        (self._directory / "sleeping").touch()
        time.sleep(float(arguments["seconds"]))
        return self.answer(start_response, "200 OK", {"slept": True})

    def do_wait(self, environ, start_response, arguments):
        """Answer when the test lets it."""
        (self._directory / "waiting").touch()
        deadline = time.monotonic() + 60
        while not (self._directory / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.answer(start_response, "200 OK", {"waited": True})

    def do_die(self, environ, start_response, arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_fail(self, environ, start_response, arguments):
        raise FileNotFoundError("no such thing")

    def _tick(self):
        while True:
            time.sleep(0.01)
            self._ticks += 1


class Bare:
    """A file-like object with no more than the methods the server promises to need."""

    def __init__(self, file):
        self.fileno, self.seek, self.tell, self.read, self.close = (
            file.fileno, file.seek, file.tell, file.read, file.close
        )  # fmt: skip


def fail(directory):
    raise RuntimeError("this application cannot be built")


def main():
    options = json.loads(sys.argv[1])
    directory = options.pop("app")
    metrics = options.pop("metrics", None)
    build = fail if options.pop("fail", False) else Application
    options["bind"] = tuple(options["bind"])
    settings = ServerSettings(**options)
    logging.basicConfig(level=logging.INFO)
    code = run(
        settings,
        lambda: build(directory),
        on_ready=lambda: print("ready", flush=True),
        child_started=lambda: (Path(directory) / f"child-{os.getpid()}").touch(),
        multiproc_dir=metrics,
    )
    print("stopped", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
