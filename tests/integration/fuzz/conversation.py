"""Whole conversations of several users with a service, and what has to hold in each of them.

No answer is a 5xx, but for 503 with ``Retry-After`` and for 501 to a method or a transfer coding that does not exist.
What was answered with success can be read back, what was deleted is unknown, the service stays healthy, and its log
has no trace of an error that nobody expected.
"""

import contextlib
import json
import socket
import struct
from urllib.parse import quote

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.integration.fuzz import values, wire
from tests.integration.served import Served

USERS = {"root": ("lab", "admin"), "alice": ("lab", "member"), "bob": ("other", "member"), "eve": ("lab", "reader")}
STEPS = 30
"""The most calls of one conversation."""

_CONFIGURATION = """\
[DEFAULT]
enabled_backends = images:file,cheap:file,web:http
show_multiple_locations = true
show_image_direct_url = true
enabled_import_methods = glance-direct,web-download,copy-image,glance-download
[glance_store]
default_backend = images
[cheap]
filesystem_store_datadir = {root}/cheap
[web]
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports = 1
[database]
connection = {database}
"""

_OF_DATA = [("Content-Type", values.DATA_TYPE)]
_OF_PATCH = [("Content-Type", values.PATCH_TYPE)]
_users = st.sampled_from(("root", "alice", "alice", "bob", "eve"))
_owners = st.sampled_from(("root", "alice", "bob"))
_RESET = struct.pack("ii", 1, 0)


class Image:
    """What is known of an image. ``is_plain``: nothing but answered calls has changed it."""

    def __init__(self, image_id):
        self.id = image_id
        self.path = f"/v2/images/{image_id}"
        self.is_plain = True
        self.is_deleted = False

    def __repr__(self):
        return f"Image({self.id})"


class Conversation(RuleBasedStateMachine):
    """Rules that make calls and check what comes back; ``service`` is a ``Served`` with the ``USERS``."""

    images = Bundle("images")
    deleted = Bundle("deleted")

    def __init__(self, service):
        super().__init__()
        self.service = service
        self.log_start = service.log.stat().st_size
        self.victim = None

    def teardown(self):
        answer = self.ask(None, "GET", "/healthcheck")
        assert answer.status == 200, answer
        with self.service.log.open("rb") as log:
            log.seek(self.log_start)
            written = log.read().decode(errors="replace")
        assert "Traceback" not in written, written

    # calls

    def ask(self, user, method, target, body=None, headers=(), chunk=None):
        """Return the answer to one call, which is no failure of the server."""
        answer = wire.exchange(self.service.port, self.request(user, method, target, body, headers, chunk), method)
        allowed = answer.status < 500 or (answer.status == 503 and "retry-after" in answer.headers)
        if method not in wire.KNOWN_METHODS:
            allowed = allowed or answer.status == 501
        assert allowed, (method, target, body, headers, answer)
        return answer

    def request(self, user, method, target, body=None, headers=(), chunk=None):
        """Return the bytes of one call; ``body`` is bytes or a value of JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {name.lower() for name, _ in headers}
        framing, data = wire.framed(body, chunk)
        own = [("Host", "localhost"), ("Content-Type", "application/json")]
        own = [(name, value) for name, value in own if name.lower() not in sent]
        if user is not None:
            own.append(("X-Auth-Token", self.service.tokens[user]))
        return wire.head(method, target, [*own, *headers, *framing]) + data

    def show(self, image, user="root"):
        """Return an image, which is there."""
        answer = self.ask(user, "GET", image.path)
        assert answer.status == 200, answer
        return answer.json

    def spare_image(self):
        """Return the path of an image to which broken requests may do anything."""
        if self.victim is None or self.ask("root", "GET", self.victim).status != 200:
            made = self.ask("root", "POST", "/v2/images", {"disk_format": "raw", "container_format": "bare"})
            self.victim = f"/v2/images/{made.json['id']}"
        return self.victim

    def created(self, answer):
        """Check an image that was just made and return it."""
        image = Image(answer.json["id"])
        assert answer.headers["location"].endswith(image.path), answer
        assert _content(self.show(image)) == _content(answer.json), answer
        return image

    # images

    @initialize(target=images)
    def begin(self):
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        users = ("root", "alice", "alice", "bob")
        return multiple(*(self.created(self.ask(user, "POST", "/v2/images", body)) for user in users))

    @rule(target=images, user=_owners, body=values.right_image, headers=values.safe_headers)
    def create(self, user, body, headers):
        answer = self.ask(user, "POST", "/v2/images", body, headers)
        return self.created(answer) if answer.status == 201 else multiple()

    @rule(target=images, user=_users, body=values.bodies(values.images), headers=values.headers, chunk=values.chunks)
    def create_from_anything(self, user, body, headers, chunk):
        answer = self.ask(user, "POST", "/v2/images", body, headers, chunk)
        return self.created(answer) if answer.status == 201 else multiple()

    @rule(user=_users, image=images | deleted, headers=values.headers)
    def look_at(self, user, image, headers):
        answer = self.ask(user, "GET", image.path, headers=headers)
        if image.is_deleted:
            assert answer.status != 200, answer

    @rule(user=_users, query=values.queries, headers=values.safe_headers)
    def list_images(self, user, query, headers):
        self._list(user, "/v2/images", "images", query, headers)

    def _list(self, user, path, what, query, headers):
        answer = self.ask(user, "GET", f"{path}?{query}", headers=headers)
        if answer.status == 200 and "content-encoding" not in answer.headers:
            page = answer.json
            assert isinstance(page[what], list), answer
            if "next" in page:
                assert self.ask(user, "GET", page["next"]).status == 200, answer

    @rule(
        user=_users,
        image=images,
        patch=values.bodies(values.patches),
        kind=values.patch_types,
        chunk=values.chunks,
    )
    def change(self, user, image, patch, kind, chunk):
        answer = self.ask(user, "PATCH", image.path, patch, [("Content-Type", kind)], chunk)
        if answer.status == 200 and image.is_plain and not image.is_deleted:
            assert _content(self.show(image, user)) == _content(answer.json), answer

    @rule(target=deleted, image=consumes(images), user=_users)
    def delete(self, image, user):
        answer = self.ask(user, "DELETE", image.path)
        if answer.status != 204:
            self.ask("root", "PATCH", image.path, [_replace("protected", False)], _OF_PATCH)
            answer = self.ask("root", "DELETE", image.path)
        if answer.status != 204:
            assert answer.status == 409 or image.is_deleted, answer
            return multiple()
        image.is_deleted = True
        for method, suffix in (("GET", ""), ("DELETE", ""), ("GET", "/file"), ("GET", "/members"), ("GET", "/tasks")):
            answer = self.ask("root", method, image.path + suffix)
            assert answer.status == 404 or suffix == "/tasks", (method, suffix, answer)
        return image

    @rule(
        user=_users,
        image=images | deleted,
        action=st.sampled_from(("deactivate", "reactivate", "restore", "purge", "none")),
        body=st.none() | st.just(b"{}"),
    )
    def act_on(self, user, image, action, body):
        answer = self.ask(user, "POST", f"{image.path}/actions/{action}", body)
        if answer.status != 204:
            return
        match action:
            case "deactivate" | "reactivate":
                assert self.show(image)["status"] == ("deactivated" if action == "deactivate" else "active")
            case "restore":
                image.is_deleted = False
                self.show(image)
            case "purge":
                assert self.ask("root", "POST", f"{image.path}/actions/restore").status == 404

    # data

    @rule(
        user=_owners,
        image=images,
        data=values.data,
        headers=st.just(_OF_DATA) | values.headers,
        chunk=values.chunks,
    )
    def upload(self, user, image, data, headers, chunk):
        answer = self.ask(user, "PUT", f"{image.path}/file", data, headers, _coarse(chunk, data))
        if answer.status == 204 and image.is_plain:
            shown = self.show(image)
            assert (shown["status"], shown["size"]) == ("active", len(data)), shown
            assert self.ask("root", "GET", f"{image.path}/file").body == data, shown

    @rule(
        user=_users,
        image=images | deleted,
        method=st.sampled_from(("GET", "GET", "HEAD")),
        query=st.just("") | values.queries,
        headers=values.headers,
    )
    def download(self, user, image, method, query, headers):
        answer = self.ask(user, method, f"{image.path}/file?{query}", headers=headers)
        if image.is_deleted:
            assert answer.status >= 400, answer
        if answer.status in (200, 206) and method == "GET":
            assert len(answer.body) == int(answer.headers["content-length"]), answer

    @rule(user=_owners, image=images, first=st.integers(0, 3000), length=st.integers(1, 3000))
    def download_a_part(self, user, image, first, length):
        whole = self.ask(user, "GET", f"{image.path}/file")
        range_ = [("Range", f"bytes={first}-{first + length - 1}")]
        part = self.ask(user, "GET", f"{image.path}/file", headers=range_)
        if whole.status == 200 and part.status == 206:
            assert part.body == whole.body[first : first + length], (whole, part)
        elif whole.status == 200 and image.is_plain:
            assert part.status == 416, part
            assert first >= len(whole.body), part

    @rule(user=_owners, image=images, data=values.data, chunk=values.chunks)
    def stage(self, user, image, data, chunk):
        answer = self.ask(user, "PUT", f"{image.path}/stage", data, _OF_DATA, _coarse(chunk, data))
        if answer.status == 204 and image.is_plain:
            assert self.show(image)["status"] == "uploading"

    @rule(user=_owners, image=images, body=values.bodies(values.imports), headers=st.just([]) | values.headers)
    def import_data(self, user, image, body, headers):
        answer = self.ask(user, "POST", f"{image.path}/import", body, headers)
        if answer.status == 202:
            image.is_plain = False
            assert self.ask("root", "GET", f"{image.path}/tasks").json["tasks"], answer

    @rule(user=_owners, image=images, store=st.sampled_from(("images", "cheap")), must_succeed=st.booleans())
    def import_what_is_there(self, user, image, store, must_succeed):
        """Copy the data of an active image, or import what is staged for one."""
        status = self.show(image)["status"]
        if status == "queued":
            self.ask(user, "PUT", f"{image.path}/stage", b"content", _OF_DATA)
        method = "copy-image" if status == "active" else "glance-direct"
        body = {"method": {"name": method}, "stores": [store], "all_stores_must_succeed": must_succeed}
        self.import_data(user, image, body, [])

    @rule(user=_users, image=images | deleted, query=values.queries)
    def list_tasks_of_image(self, user, image, query):
        self._list(user, f"{image.path}/tasks", "tasks", query, ())

    @rule(user=_users, image=images, body=values.bodies(values.locations))
    def add_location(self, user, image, body):
        if self.ask(user, "POST", f"{image.path}/locations", body).status == 202:
            image.is_plain = False
        self.ask(user, "GET", f"{image.path}/locations")

    @rule(user=_users, image=images, store=st.sampled_from(("images", "cheap", "web", "none")) | values.text)
    def delete_from_store(self, user, image, store):
        if self.ask(user, "DELETE", f"/v2/stores/{quote(store, safe='')}/{image.id}").status == 204:
            image.is_plain = False

    # tags and members

    @rule(user=_owners, image=images, tag=values.word, keep=st.booleans())
    def tag(self, user, image, tag, keep):
        path = f"{image.path}/tags/{quote(tag, safe='')}"
        if self.ask(user, "PUT", path).status != 204:
            return
        assert tag in self.show(image)["tags"]
        if not keep:
            assert self.ask(user, "DELETE", path).status == 204
            assert tag not in self.show(image)["tags"]
            assert self.ask(user, "DELETE", path).status == 404

    @rule(user=_owners, image=images, body=values.bodies(st.fixed_dictionaries({"member": values.json_values})))
    def add_anything_as_member(self, user, image, body):
        self.ask(user, "POST", f"{image.path}/members", body)

    @rule(
        user=_owners,
        image=images,
        member=st.just("other") | values.word,
        status=st.sampled_from(("accepted", "rejected", "pending")) | values.json_values,
        keep=st.booleans(),
    )
    def share(self, user, image, member, status, keep):
        path = f"{image.path}/members/{quote(member, safe='')}"
        answer = self.ask(user, "POST", f"{image.path}/members", {"member": member})
        if answer.status != 200 or "/" in member:
            return
        assert self.ask(user, "GET", path).json == answer.json
        answer = self.ask("bob", "PUT", path, {"status": status})
        if answer.status == 200:
            assert self.ask("bob", "GET", path).json["status"] == status
        if not keep:
            assert self.ask(user, "DELETE", path).status == 204
            assert self.ask(user, "GET", path).status == 404

    # everything else

    @rule(user=_users, body=values.bodies(values.tasks))
    def begin_a_task(self, user, body):
        answer = self.ask(user, "POST", "/v2/tasks", body)
        if answer.status == 201:
            assert self.ask(user, "GET", f"/v2/tasks/{answer.json['id']}").status == 200, answer

    @rule(user=_users, query=values.queries)
    def list_tasks(self, user, query):
        self._list(user, "/v2/tasks", "tasks", query, ())

    @rule(
        user=st.none() | _users,
        method=values.methods,
        path=values.paths(),
        query=st.just("") | values.queries,
        body=st.none() | values.bodies(values.json_values),
        headers=values.headers,
    )
    def call_anything(self, user, method, path, query, body, headers):
        self.ask(user, method, f"{path}?{query}", body, headers)

    # broken requests

    @rule(data=st.data())
    def send_something_damaged(self, data):
        path = self.spare_image()
        calls = (
            ("GET", "/v2/images?limit=2"),
            ("POST", "/v2/images", {"name": "disk"}),
            ("POST", "/v2/images", {"name": "disk"}, (), 5),
            ("PUT", f"{path}/file", b"x" * 50, _OF_DATA),
            ("PUT", f"{path}/file", b"x" * 50, _OF_DATA, 20),
            ("PATCH", path, [_replace("name", "x")], _OF_PATCH),
        )
        self.check_all(data.draw(values.damaged(self.request("root", *data.draw(st.sampled_from(calls))))))

    @rule(data=st.binary(min_size=1, max_size=60))
    def send_bytes(self, data):
        self.check_all(data)

    def check_all(self, data):
        """Send any bytes; whatever is answered is no failure of the server."""
        for status, headers in wire.answers_to(self.service.port, data):
            assert status < 500 or status in (501, 505) or (status == 503 and "retry-after:" in headers), (status, data)

    @rule(user=_users, queries=st.lists(values.queries, min_size=2, max_size=6), images_=st.lists(images, max_size=3))
    def pipeline(self, user, queries, images_):
        targets = [*(f"/v2/images?{query}" for query in queries), *(image.path for image in images_)]
        with wire.Connection(self.service.port) as connection:
            connection.send(b"".join(self.request(user, "GET", target) for target in targets))
            for target in targets:
                answer = connection.answer("GET")
                assert answer.status < 500, (target, answer)
                if answer.headers.get("connection") == "close":
                    break

    @rule(
        length=st.integers(1, 100_000),
        sent=st.integers(0, 100_000),
        is_chunked=st.booleans(),
        is_reset=st.booleans(),
        is_staged=st.booleans(),
    )
    def leave_in_the_middle(self, length, sent, is_chunked, is_reset, is_staged):
        target = f"{self.spare_image()}/{'stage' if is_staged else 'file'}"
        request = self.request("root", "PUT", target, b"x" * length, _OF_DATA, 1000 if is_chunked else None)
        with wire.Connection(self.service.port) as connection:
            if is_reset:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(ConnectionError):
                connection.send(request[: request.index(b"\r\n\r\n") + 4 + sent])

    @rule(user=_owners, image=images, data=values.data, is_patient=st.booleans())
    def upload_when_asked_to(self, user, image, data, is_patient):
        headers = [*_OF_DATA, ("Expect", "100-continue")]
        request = self.request(user, "PUT", f"{image.path}/file", data, headers)
        end = request.index(b"\r\n\r\n") + 4
        with wire.Connection(self.service.port) as connection:
            connection.send(request[:end])
            if is_patient and data:
                first = connection.socket.recv(65536)
                if not first.startswith(b"HTTP/1.1 100 "):
                    assert first.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503")), first
                    return
            with contextlib.suppress(ConnectionError):
                connection.send(request[end:])
            answer = connection.answer("PUT")
        assert answer.status < 500, answer
        if answer.status == 204 and image.is_plain:
            assert self.ask("root", "GET", f"{image.path}/file").body == data


def _content(image):
    """Return what two answers say alike of the same image: its tags have no order."""
    return {**image, "tags": sorted(image["tags"])}


def _replace(name, value):
    return {"op": "replace", "path": f"/{name}", "value": value}


def _coarse(chunk, data):
    """Return the size of chunks, of which there are not too many."""
    return chunk and max(chunk, len(data) // 500)


def served(root, database=None):
    """Return the service for conversations, which is not started.

    ``root`` is a directory for its further store; ``database`` the address of an empty database, SQLite where None.
    """
    database = database or f"sqlite:///{root}/conversations.db"
    return Served(_CONFIGURATION.format(root=root, database=database), users=USERS)


def converse(service, count, seed, is_shortened=False):
    """Hold ``count`` conversations with ``service``; the same ``seed`` makes the same ones.

    Raises what a rule raises, and prints the calls that led to it. ``is_shortened``: looks for minutes for fewer calls
    that do so, too.
    """
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if is_shortened else [])]
    settings = hypothesis.settings(
        max_examples=count,
        phases=phases,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(lambda: Conversation(service)), settings=settings)
