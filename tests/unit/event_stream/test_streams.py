"""Who gets which events, and what ends a stream; the real application, layers and database."""

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

from fixtures import TempDir
from testtools import TestCase
from testtools.matchers import LessThan, StartsWith

from glance_mini.event_stream import hub, listener
from glance_mini.operations.event_log import ReadLastEvents
from glance_mini.standalone.users import User, change_users
from tests.http_server.running import certificate
from tests.unit.event_stream.streaming import SECONDS, Stream, StreamingCase, eventually, request

CONCEALED = """
"get_image": "role:admin or (role:reader and not 'concealed':%(name)s)"
"""


class TestVisibility(StreamingCase, TestCase):
    def test_first_message_says_where_the_stream_begins(self):
        self.create()
        stream = self.stream()
        self.assertEqual(("ready", 1, {}), stream.next())
        self.assertEqual("text/event-stream", stream.answer.content_type)
        self.assertEqual("no-store", stream.answer.headers["Cache-Control"])

    def test_owner_follows_an_image_from_its_creation_to_its_end(self):
        stream = self.ready_stream()
        image = self.create(name="one", secret="s")
        self.send("PUT", f"/v2/images/{image}/file", body=b"data", content_type="application/octet-stream", status=204)
        self.send("DELETE", f"/v2/images/{image}", status=204)
        events = stream.until("image.delete")
        self.assertEqual(["image.create", "image.update", "image.update", "image.delete"], [e[0] for e in events])
        self.assertEqual(["queued", "saving", "active"], [e[2]["status"] for e in events[:-1]])
        self.assertEqual({"id": image}, events[-1][2])
        self.assertNotIn("secret", str(events))

    def test_private_image_is_told_to_its_project_and_to_administrators(self):
        streams = {caller: self.ready_stream(caller) for caller in ("member", "reader", "admin", "other")}
        image = self.create(visibility="private")
        found = {caller: self.before_mark(stream) for caller, stream in streams.items()}
        created = [("image.create", image)]
        mark = {caller: [event for event in events if event[1] == image] for caller, events in found.items()}
        self.assertEqual({"member": created, "reader": created, "admin": created, "other": []}, mark)

    def test_image_that_is_hidden_from_others_is_gone_for_them(self):
        image = self.create("admin", visibility="public")
        owner, other = self.ready_stream("admin"), self.ready_stream("other")
        self.change(image, "admin", visibility="private")
        self.change(image, "admin", name="secret")
        self.assertEqual([("image.gone", image)], self.before_mark(other))
        self.assertEqual(["image.update"] * 2, [kind for kind, _ in self.before_mark(owner)][:2])

    def test_member_follows_a_shared_image_until_it_is_removed(self):
        image = self.create(visibility="shared")
        owner, member, stranger = self.ready_stream(), self.ready_stream("other"), self.ready_stream("p3")
        members = f"/v2/images/{image}/members"
        self.send("POST", members, json={"member": "p2"}, status=200)
        self.send("PUT", f"{members}/p2", "other", {"status": "accepted"}, 200)
        seen = ["image.member.create", "image.member.update"]
        self.assertEqual(seen, [kind for kind, _ in self.before_mark(member)])
        self.change(image, name="told")
        self.assertEqual(["image.update"], [kind for kind, _ in self.before_mark(member)])
        self.send("DELETE", f"{members}/p2", status=204)
        self.change(image, name="secret")
        self.assertEqual([("image.gone", image)], self.before_mark(member))
        found = [kind for kind, each in self.before_mark(owner) if each == image]
        self.assertEqual([*seen, "image.update", "image.member.delete", "image.update"], found)
        self.assertEqual([], [each for _, each in self.before_mark(stranger) if each == image])

    def test_task_without_an_image_is_told_only_to_those_who_may_list_tasks(self):
        member, admin = self.ready_stream("member"), self.ready_stream("admin")
        task = {"type": "import", "input": {"import_from": "http://93.184.216.34/x", "import_from_format": "raw"}}
        task["input"]["image_properties"] = {"name": "x", "disk_format": "raw", "container_format": "bare"}
        self.send("POST", "/v2/tasks", "admin", task, 201)
        self.assertEqual(["task.create"], [kind for kind, _ in self.before_mark(admin)])
        self.assertNotIn("task.create", [kind for kind, _ in self.before_mark(member) + self.before_mark(member)])


class TestChangedRules(StreamingCase, TestCase):
    policy = CONCEALED

    def test_image_that_the_rules_hide_is_not_told(self):
        owner = self.ready_stream()
        image = self.create(name="concealed")
        self.change(image, "admin", name="shown")
        self.change(image, "admin", name="concealed")
        self.send("DELETE", f"/v2/images/{image}", "admin", status=204)
        # One look at the log may find several changes; the image is asked for as it is then.
        found = self.kinds(owner, image)
        self.assertIn(found, ([], ["image.update", "image.gone"]))

    def test_image_that_the_rules_show_is_told_until_they_hide_it(self):
        owner = self.ready_stream()
        image = self.create(name="one")
        self.assertEqual(("image.create", image), self.kind_and_image(owner))
        self.change(image, "admin", name="concealed")
        self.assertEqual(("image.gone", image), self.kind_and_image(owner))
        self.change(image, "admin", disk_format="qcow2")
        self.assertEqual([], self.kinds(owner, image))

    def kinds(self, stream, image):
        """Return the kinds of the events of an image that have come."""
        return [kind for kind, each in self.before_mark(stream) if each == image]

    def kind_and_image(self, stream):
        """Return the kind and the image of the next event."""
        kind, _, data = stream.next()
        return kind, data["id"]


class TestComingBack(StreamingCase, TestCase):
    options = {"events": {"max_pending_bytes": "32768"}}

    def test_client_that_comes_back_gets_what_it_has_missed(self):
        stream = self.ready_stream()
        self.create(name="one")
        position = stream.until("image.create")[-1][1]
        stream.socket.close()
        missed = [self.create(name="two"), self.create(name="three")]
        again = self.stream(Last_Event_ID=str(position))
        events = again.until("ready")
        self.assertEqual(missed, [data["id"] for _, _, data in events[:-1]])
        self.assertEqual([position, position, position + 2], [number for _, number, _ in events])

    def test_what_was_missed_is_chosen_like_all_else(self):
        self.ready_stream("other")
        self.create(visibility="private")
        mark = self.mark()
        events = self.stream("other", Last_Event_ID="0").until("ready")
        self.assertEqual([mark], [data["id"] for _, _, data in events[:-1]])

    def test_client_that_may_have_missed_events_begins_anew(self):
        for _ in range(2):
            self.create()
        self.assertEqual(("reset", 2, {}), self.stream(Last_Event_ID="77").next())

    def test_client_that_missed_more_than_may_wait_begins_anew(self):
        self.create()
        for _ in range(300):
            self.create(name="n" * 200)
        self.assertEqual(("reset", 301, {}), self.stream(Last_Event_ID="0").next())

    def test_id_that_is_none_is_refused(self):
        for text in ("x", "-1", "1.5", "9" * 30, " "):
            self.assertEqual(400, Stream(self, self.app, Last_Event_ID=text).answer.status_int, text)

    def test_process_that_was_cut_off_for_long_tells_its_clients_to_begin_anew(self):
        stream = self.ready_stream()
        self.patch(hub, "_STALE", 0.0)
        self.assertEqual("reset", stream.next()[0])


class TestLimits(StreamingCase, TestCase):
    options = {"events": {"max_listeners": "3", "max_listeners_per_caller": "2"}}

    def test_caller_has_some_streams_and_all_have_some_more(self):
        mine = [self.ready_stream() for _ in range(2)]
        refused = Stream(self, self.app).answer
        self.assertEqual((503, "5"), (refused.status_int, refused.headers["Retry-After"]))
        self.ready_stream("other")
        self.assertEqual(503, Stream(self, self.app, "admin").answer.status_int)
        mine[0].socket.close()
        eventually(lambda: Stream(self, self.app, "admin").answer.status_int == 200)

    def test_stream_that_comes_when_there_is_no_room_any_more_is_refused_on_its_connection(self):
        late = request("member").get_response(self.app)
        for _ in range(2):
            self.ready_stream()
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        late.app_iter.take(there, b"HEAD\r\n\r\n")
        self.assertThat(here.recv(1000), StartsWith(b"HTTP/1.1 503 "))


class TestSlowClients(StreamingCase, TestCase):
    options = {"events": {"max_pending_bytes": "32768"}}

    def test_client_that_does_not_read_is_dropped_and_delays_nobody(self):
        slow, quick = self.ready_stream(), self.ready_stream()
        for _ in range(16):
            images = [self.create(name="n" * 250) for _ in range(25)]
            self.assertEqual(images, [quick.next()[2]["id"] for _ in images])
        self.assertThat(len(slow.end()), LessThan(400))

    def test_client_that_takes_nothing_for_long_is_dropped(self):
        self.patch(listener, "STALLED", 0.2)
        self.ready_stream()
        for _ in range(200):
            self.create(name="n" * 250)
        eventually(lambda: self.application.hub.full_at(("member", "p1")) is None and not self.listeners())

    def listeners(self):
        """Return how many clients follow the events."""
        return self.application.services.metrics.listeners._value.get()


class TestFaults(StreamingCase, TestCase):
    def test_stream_goes_on_when_the_log_can_be_read_again(self):
        stream = self.ready_stream()
        self.rename("event_log", "away")
        late = self.stream()
        self.assertThat(late.socket.recv(1000), StartsWith(b"HTTP/1.1 503 "))
        self.rename("away", "event_log")
        image = self.create()
        kind, _, data = stream.next()
        self.assertEqual(("image.create", image), (kind, data["id"]))

    def rename(self, name, other):
        """Give a table another name."""
        with self.application.backend.engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {other}")


class TestTLS(StreamingCase, TestCase):
    def test_client_gets_all_that_had_to_wait_for_it(self):
        certificate_file, key_file, trusting = certificate(self.useFixture(TempDir()).path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key_file)
        here, there = socket.socketpair()
        with ThreadPoolExecutor(1) as pool:
            shaken = pool.submit(context.wrap_socket, there, server_side=True)
            client = trusting.wrap_socket(here, server_hostname="127.0.0.1")
            self.addCleanup(client.close)
        client.settimeout(SECONDS)
        request("member").get_response(self.app).app_iter.take(shaken.result(), b"")
        text = b""
        # The stream begins in another thread; what is created before that is none of its events.
        while b"event: ready" not in text:
            text += client.recv(1000)
        images = [self.create(name="n" * 250) for _ in range(200)]
        while text.count(b"image.create") < len(images) or not text.endswith(b"\n\n"):
            text += client.recv(1000)
        found = [json.loads(line[6:])["id"] for line in text.splitlines() if line.startswith(b'data: {"id"')]
        self.assertEqual(images, found)


class TestEnd(StreamingCase, TestCase):
    options = {"events": {"check_interval": "1", "heartbeat": "1"}}

    def test_stream_ends_when_its_token_is_revoked_and_those_of_others_go_on(self):
        stream, other = self.ready_stream(), self.ready_stream("other")
        change_users(self.application.folder / "users.json", lambda users: users.remove("member"))
        self.assertEqual([], stream.end())
        self.assertEqual([("image.create", self.create("other"))], self.before_mark(other))

    def test_caller_with_other_roles_gets_what_these_may_see(self):
        admin = self.ready_stream("admin")

        def demote(users):
            return users.remove("admin").add(User("admin").with_role("p0", ("member",)).with_token("admin", "p0"))

        change_users(self.application.folder / "users.json", demote)
        eventually(lambda: not self.is_told(admin))

    def test_client_hears_from_the_service_when_nothing_happens(self):
        stream = self.ready_stream()
        stream.socket.settimeout(SECONDS)
        self.assertEqual(b":\n\n", stream.socket.recv(3))

    def test_stream_ends_with_the_service(self):
        stream = self.ready_stream()
        self.application.hub.close()
        self.assertEqual([], stream.end())
        late = Stream(self, self.app)
        self.assertThat(late.socket.recv(1000), StartsWith(b"HTTP/1.1 503 "))

    def is_told(self, stream):
        """Return whether a stream gets an event of a private image of another project."""
        image = self.create(visibility="private")
        mark = self.create("other", visibility="community")
        while True:
            _, _, data = stream.next()
            if data.get("id") in (image, mark):
                return data["id"] == image


class TestOff(StreamingCase, TestCase):
    options = {"events": {"log": "false"}}

    def test_there_are_no_streams_without_a_log(self):
        self.assertEqual(404, Stream(self, self.app).answer.status_int)
        self.create()
        self.assertEqual((), self.application.services.data.run(ReadLastEvents(10)))


class TestOtherServers(StreamingCase, TestCase):
    def test_server_that_cannot_give_connections_away_has_no_streams(self):
        self.assertEqual(501, self.send("GET", "/v2/events").status_int)

    def test_caller_without_credentials_is_refused(self):
        self.assertEqual(401, Stream(self, self.app, "nobody").answer.status_int)


class TestPolicy(StreamingCase, TestCase):
    policy = '"watch_events": "role:admin"'

    def test_caller_whom_the_rule_refuses_has_no_stream(self):
        self.assertEqual(403, Stream(self, self.app).answer.status_int)
        self.ready_stream("admin")
