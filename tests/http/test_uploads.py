"""Uploads that may break off and go on, by the protocol tus (api-uploads)."""

import hashlib
import os
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta

from glance_mini.domain.errors import ClientGone
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL
from glance_mini.imports.resumed import ResumedUploads
from glance_mini.layers.location import sessions
from glance_mini.maintenance.reaper import Reaper
from glance_mini.operations.records import CountUsage
from glance_mini.operations.upload_sessions import ExtendUploadSession, GetUploadSession
from glance_mini.testing.timed import TimedAccess
from glance_mini_store import errors as store_errors
from glance_mini_store.drivers.file.draft import FileDraft
from tests.http.client import Stream
from tests.http.working import BODY, WorkingTest, digest

TYPE = "application/offset+octet-stream"
SIZE = len(BODY)


class UploadsCase(WorkingTest):
    options = {
        "uploads": {"sessions_per_image": 4, "sessions_per_project": 5, "expire_seconds": 3600, "keep_free_mib": 0},
        "DEFAULT": {"user_storage_quota": "100KB", "image_size_cap": 80_000},
    }

    def setUp(self):
        super().setUp()
        self.image_id = self.create()
        self.staging = self.service.folder / "staging"

    def tus(self, method, path, body=None, caller="member", **headers):
        return self.send(method, path, body, caller=caller, **{"Tus_Resumable": "1.0.0", **headers})

    def begin(self, size=SIZE, status=201, image_id=None, **headers):
        """Return the path of a new upload, or the text of a refusal."""
        path = f"/v2/images/{image_id or self.image_id}/upload"
        answer = self.tus("POST", path, **{"Upload_Length": size, **headers})
        self.assertEqual(status, answer.status_int, answer.text)
        return answer.headers["Location"] if status == 201 else answer.text

    def add(self, path, offset, data, status=204, **headers):
        """Return the answer to bytes that are sent."""
        answer = self.tus("PATCH", path, data, **{"Content_Type": TYPE, "Upload_Offset": offset, **headers})
        self.assertEqual(status, answer.status_int, answer.text)
        return answer

    def break_off(self, path, offset, *blocks):
        """Send ``blocks`` of all the rest, and no more."""
        headers = {"Tus_Resumable": "1.0.0", "Content_Type": TYPE, "Upload_Offset": offset}
        answer = self.send_stream("PATCH", path, Stream(*blocks), len(BODY) - offset, **headers)
        self.assertEqual(400, answer.status_int)

    def offset(self, path, status=200, caller="member"):
        answer = self.tus("HEAD", path, caller=caller)
        self.assertEqual(status, answer.status_int, answer.text)
        return int(answer.headers["Upload-Offset"]) if status == 200 else None

    def status(self):
        return self.status_of(self.image_id)

    def used(self):
        """Return the stored bytes, the staged bytes and the uploads that count for the project."""
        usage = self.service.services.data.run(CountUsage("p1"))
        return usage[IMAGE_SIZE_TOTAL], usage[IMAGE_STAGE_TOTAL], usage[IMAGE_COUNT_UPLOADING]

    def reap(self, seconds=0):
        """Let time pass, and do what the reaper does then."""
        services = self.service.services
        self.passed += timedelta(seconds=seconds)
        data = TimedAccess(services.data, self._now)
        while Reaper(data, services.stores, services.leases, services.metrics, 1).reap():
            pass

    def staged(self):
        return sorted(os.listdir(self.staging))

    def assert_active(self):
        image = self.show(self.image_id)
        self.assertEqual(("active", len(BODY), digest("md5")), (image["status"], image["size"], image["checksum"]))
        self.assertEqual((digest("sha512"), len(BODY)), (image["os_hash_value"], image["virtual_size"]))
        self.assertEqual(BODY, self.data(self.image_id))
        self.assert_nothing_left(len(BODY))

    def assert_nothing_left(self, stored=0):
        self.assertEqual(([], (stored, 0, 0)), (self.staged(), self.used()))


class TestUploads(UploadsCase):
    def test_data_that_is_sent_in_pieces_becomes_that_of_the_image(self):
        path = self.begin(Upload_Metadata="filename ZGlzaw==, plain", X_Image_Meta_Store="cheap")
        self.assertEqual((0, (0, len(BODY), 1), "queued"), (self.offset(path), self.used(), self.status()))
        answer = self.add(path, 0, BODY[:5000])
        self.assertEqual(("5000", "1.0.0"), (answer.headers["Upload-Offset"], answer.headers["Tus-Resumable"]))
        self.assertTrue(answer.headers["Upload-Expires"].endswith("GMT"))
        answer = self.tus("HEAD", path)
        self.assertEqual("no-store", answer.headers["Cache-Control"])
        self.assertEqual("filename ZGlzaw==, plain", answer.headers["Upload-Metadata"])
        self.assertEqual(("5000", str(len(BODY))), (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]))
        (listed,) = self.send("GET", f"/v2/images/{self.image_id}/upload").json["uploads"]
        self.assertEqual((5000, len(BODY), "cheap"), (listed["received"], listed["size"], listed["store"]))
        self.add(path, 5000, BODY[5000:])
        self.assert_active()
        self.assertEqual("cheap", self.show(self.image_id)["stores"])
        self.assertEqual(len(BODY), self.offset(path))
        self.add(path, len(BODY), b"")
        self.assertEqual(len(BODY), self.offset(path))

    def test_what_arrived_before_a_break_stays_and_the_upload_goes_on(self):
        path = self.begin()
        self.break_off(path, 0, BODY[:7000], ConnectionResetError("gone"))
        self.assertEqual(7000, self.offset(path))
        self.break_off(path, 7000, BODY[7000:9000])
        self.assertEqual(9000, self.offset(path))
        self.add(path, 9000, BODY[9000:])
        self.assert_active()

    def test_bytes_behind_the_last_durable_one_are_sent_again(self):
        """A process that died may have written more than it had recorded."""
        path = self.begin()
        self.add(path, 0, BODY[:7000])
        (name,) = self.staged()
        with open(self.staging / name, "ab") as file:
            file.write(b"not recorded")
        self.add(path, 7000, BODY[7000:])
        self.assert_active()

    def test_long_piece_is_durable_in_steps(self):
        self.addCleanup(setattr, sessions, "STEP", sessions.STEP)
        sessions.STEP = 1000
        path, seen = self.begin(4000), []
        chunks = self.seen_at_each_step(path, seen)
        op = ExtendUploadSession(self.image_id, session_id=path.rpartition("/")[2], chunks=chunks, size=4000)
        self.assertRaises(ClientGone, self.service.stack.call, self.service.context("member"), op)
        self.assertEqual(([0, 0, 1200, 1200], 2400), (seen, self.offset(path)))

    def seen_at_each_step(self, path, seen):
        """Yield pieces of 600 bytes and note what is durable before each; then the client goes."""
        for start in range(0, 2400, 600):
            seen.append(self.offset(path))
            yield BODY[start : start + 600]
        raise ClientGone(reason="away")

    def test_creation_with_the_data(self):
        answer = self.tus(
            "POST", f"/v2/images/{self.image_id}/upload", BODY, Content_Type=TYPE, Upload_Length=len(BODY)
        )
        self.assertEqual((201, str(len(BODY))), (answer.status_int, answer.headers["Upload-Offset"]))
        self.assert_active()

    def test_empty_image(self):
        self.begin(0)
        self.assertEqual(("active", 0), (self.status(), self.show(self.image_id)["size"]))
        self.assert_nothing_left()

    def test_parts_are_joined(self):
        cut = 6000
        first = self.begin(cut, Upload_Concat="partial")
        second = self.begin(len(BODY) - cut, Upload_Concat="partial")
        self.add(second, 0, BODY[cut:])
        self.assertEqual("partial", self.tus("HEAD", second).headers["Upload-Concat"])
        joined = {"Upload_Concat": f"final;{first} http://images.example{second}"}
        self.assertIn("has 0 of 6000 bytes", self.begin(status=409, **joined))
        self.add(first, 0, BODY[:cut])
        self.assertEqual("queued", self.status())
        path = self.begin(**joined)
        self.assert_active()
        head = self.tus("HEAD", path).headers
        self.assertEqual(f"final;{first} {second}", head["Upload-Concat"])
        self.assertEqual(str(len(BODY)), head["Upload-Length"])
        self.add(path, len(BODY), b"", 403)
        self.offset(first, 404)

    def test_only_complete_parts_of_the_same_image_are_joined(self):
        elsewhere = self.begin(4, image_id=self.create(), Upload_Concat="partial")
        whole, part = self.begin(4), self.begin(4, Upload_Concat="partial")
        self.add(part, 0, b"part")
        for wanted in (elsewhere, whole, "x", f"{part} {part}", elsewhere.rpartition("/")[2], ""):
            self.begin(status=400, Upload_Concat=f"final;{wanted}")
        self.begin(status=400, Upload_Concat="other")
        self.assertEqual("queued", self.status())

    def test_termination_removes_everything(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        self.assertEqual(204, self.tus("DELETE", path).status_int)
        self.assert_nothing_left()
        self.offset(path, 404)
        self.add(path, 100, BODY[100:], 404)
        self.add(path, 0, BODY, 404)
        self.assertEqual((404, []), (self.tus("DELETE", path).status_int, self.staged()))

    def test_method_in_a_header(self):
        path = self.begin()
        headers = {"Content_Type": TYPE, "Upload_Offset": 0, "X_HTTP_Method_Override": "PATCH"}
        self.assertEqual(204, self.tus("POST", path, BODY[:9], **headers).status_int)
        self.assertEqual(9, self.offset(path))
        self.assertEqual(405, self.tus("POST", path).status_int)
        self.assertEqual(204, self.tus("POST", path, X_HTTP_Method_Override="DELETE").status_int)
        self.offset(path, 404)

    def test_options_say_what_there_is(self):
        answer = self.send("OPTIONS", f"/v2/images/{self.image_id}/upload")
        self.assertEqual(204, answer.status_int)
        self.assertEqual(("1.0.0", "80000"), (answer.headers["Tus-Version"], answer.headers["Tus-Max-Size"]))
        self.assertIn("concatenation", answer.headers["Tus-Extension"])

    def test_content_is_inspected_as_that_of_any_upload(self):
        image_id = self.create(disk_format="qcow2")
        path = self.begin(image_id=image_id)
        answer = self.add(path, 0, BODY, 415)
        self.assertIn("refused", answer.text)
        self.assertEqual("queued", self.status_of(image_id))
        self.assert_nothing_left()
        self.offset(path, 404)


class TestBounds(UploadsCase):
    def test_wrong_offset_is_refused_and_changes_nothing(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        for offset in (0, 99, 101, len(BODY)):
            self.add(path, offset, BODY[100:], 409)
        self.add(path, "-1", BODY, 400)
        self.add(path, 100, BODY, 400)
        self.assertEqual(100, self.offset(path))
        self.add(path, 100, BODY[100:])
        self.assert_active()

    def test_more_than_announced_is_refused_where_the_length_is_unknown(self):
        path = self.begin(100)
        headers = {"Tus_Resumable": "1.0.0", "Content_Type": TYPE, "Upload_Offset": 0}
        answer = self.send_stream("PATCH", path, Stream(BODY), None, **headers)
        self.assertEqual((400, 0), (answer.status_int, self.offset(path)))

    def test_wrong_checksum_drops_what_was_sent(self):
        path = self.begin()
        for algorithm in ("sha1", "md5", "sha256", "sha512"):
            good = b64encode(hashlib.new(algorithm, BODY[:100]).digest()).decode()
            answer = self.add(path, 0, BODY[1:101], 460, Upload_Checksum=f"{algorithm} {good}")
            self.assertEqual("460 Checksum Mismatch", answer.status)
            self.assertEqual(0, self.offset(path))
        for wrong in ("crc32 AAAA", "sha1 ???", "sha1"):
            self.add(path, 0, BODY[:100], 460 if wrong == "sha1" else 400, Upload_Checksum=wrong)
        self.add(path, 0, BODY[:100], Upload_Checksum=f"sha512 {good}")
        self.assertEqual(100, self.offset(path))

    def test_second_writer_is_told_that_the_upload_is_locked(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        answers = []

        class Intruding(Stream):
            def read(stream, size=-1):
                if not answers:
                    answers.append(self.add(path, 100, b"intruder", 423))
                return super().read(size)

        headers = {"Tus_Resumable": "1.0.0", "Content_Type": TYPE, "Upload_Offset": 100}
        self.send_stream("PATCH", path, Intruding(BODY[100:]), len(BODY) - 100, **headers)
        self.assertEqual(1, len(answers))
        self.assert_active()

    def test_upload_is_seen_by_nobody_else(self):
        path = self.begin()
        for caller, status in (("other", 404), ("reader", 403), ("member2", 200), ("admin", 200)):
            self.offset(path, status, caller)
        shared = self.create(visibility="community")
        path = self.begin(image_id=shared)
        for method in ("HEAD", "PATCH", "DELETE"):
            answer = self.tus(
                method,
                path,
                caller="other",
                **({"Content_Type": TYPE, "Upload_Offset": 0} if method == "PATCH" else {}),
            )
            self.assertEqual(403, answer.status_int, method)
        self.assertEqual(403, self.send("GET", f"/v2/images/{shared}/upload", caller="other").status_int)
        stolen = path.replace(shared, self.create())
        self.offset(stolen, 404)
        self.add(stolen, 0, b"stolen", 404)

    def test_headers_that_make_no_sense(self):
        path = self.begin()
        for headers in (
            {"Upload_Length": ""},
            {"Upload_Length": "-1"},
            {"Upload_Length": "1e3"},
            {"Upload_Metadata": "key not-base64!"},
            {"Upload_Metadata": "x" * 5000},
        ):
            self.begin(status=400, **headers)
        self.add(path, 0, BODY, 415, Content_Type="application/octet-stream")
        for method in ("POST", "HEAD", "PATCH", "DELETE"):
            where = f"/v2/images/{self.image_id}/upload" if method == "POST" else path
            answer = self.tus(method, where, Tus_Resumable="0.2")
            self.assertEqual((412, "1.0.0"), (answer.status_int, answer.headers["Tus-Version"]), method)

    def test_limits_of_bytes_and_of_uploads(self):
        self.begin(80_001, 413)
        self.begin(70_000)
        self.assertIn("image_stage_total", self.begin(60_000, 413))
        self.assertEqual((0, 70_000, 1), self.used())
        for _ in range(3):
            self.begin(1)
        self.assertIn("upload_sessions_per_image", self.begin(1, 413))
        other = self.create()
        self.begin(1, image_id=other)
        self.assertIn("upload_sessions_per_project", self.begin(1, 413, image_id=other))

    def test_no_more_is_announced_than_the_disk_has_room_for(self):
        store = self.service.services.stores.get("os_glance_staging_store")
        store.driver.probe = lambda: 1000
        first = self.begin(600)
        self.assertIn("the room for staged data", self.begin(401, 413))
        self.begin(400)
        store.driver.probe = lambda: 900
        self.add(first, 0, BODY[:500])
        self.begin(400)

    def test_quota_sees_staged_and_stored_bytes_as_one(self):
        other = self.create()
        answer = self.send("PUT", f"/v2/images/{other}/file", b"x" * 50_000, Content_Type="application/octet-stream")
        self.assertEqual(204, answer.status_int)
        path = self.begin(50_000)
        self.add(path, 0, b"y" * 50_000)
        self.assertEqual(("active", (100_000, 0, 0)), (self.status(), self.used()))

    def test_formats_are_asked_for_before_the_first_byte(self):
        image_id = self.send("POST", "/v2/images", {"name": "bare"}).json["id"]
        self.assertIn("must be set prior", self.begin(status=400, image_id=image_id))

    def test_image_with_data_takes_no_upload(self):
        path = self.begin()
        self.send("PUT", f"/v2/images/{self.image_id}/file", BODY, Content_Type="application/octet-stream")
        self.begin(status=409)
        self.add(path, 0, BODY, 409)
        self.assertEqual(BODY, self.data(self.image_id))


class TestLongUploads(UploadsCase):
    options: dict = {}

    def test_parts_that_fill_no_block_are_joined_and_hashed_as_they_are(self):
        """Blocks of memory are used again, by threads that hash and write."""
        parts = [os.urandom(5 * 1024 * 1024 + more) for more in (1, 4096, 0, 7)]
        paths = [self.begin(len(part), Upload_Concat="partial") for part in parts]
        for path, part in zip(paths, parts, strict=True):
            self.add(path, 0, part)
        self.begin(Upload_Concat=f"final;{' '.join(paths)}")
        data = b"".join(parts)
        self.assertEqual(digest("md5", data), self.show(self.image_id)["checksum"])
        self.assertEqual(digest("sha512", data), self.show(self.image_id)["os_hash_value"])
        self.assertEqual(data, self.data(self.image_id))
        self.assert_nothing_left(len(data))


class TestPages(UploadsCase):
    options = {"cors": {"allowed_origin": "https://page.example.org"}}

    def test_pages_of_an_allowed_origin_speak_the_protocol(self):
        origin = {"Origin": "https://page.example.org"}
        asked = (
            "Tus-Resumable, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Concat, Upload-Checksum, X-Auth-Token"
        )
        for method in ("POST", "HEAD", "PATCH", "DELETE"):
            headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked, **origin}
            answer = self.send("OPTIONS", f"/v2/images/{self.image_id}/upload", **headers)
            self.assertEqual(method, answer.headers["Access-Control-Allow-Methods"])
            allowed = answer.headers["Access-Control-Allow-Headers"].lower()
            self.assertEqual([], [name for name in asked.lower().split(", ") if name not in allowed])
        answer = self.tus("HEAD", self.begin(**origin), **origin)
        shown = answer.headers["Access-Control-Expose-Headers"]
        for name in ("Upload-Offset", "Upload-Length", "Location", "Tus-Resumable", "Upload-Expires"):
            self.assertIn(name, shown)


class TestEnds(UploadsCase):
    def test_upload_ends_with_its_time_and_leaves_nothing(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        self.reap(1800)
        self.assertEqual(100, self.offset(path))
        self.reap(3600)
        self.assert_nothing_left()
        self.assertEqual("queued", self.status())
        # For the request no time has passed, and the bytes are lost.
        self.add(path, 100, BODY[100:], 410)

    def test_upload_ends_with_its_image(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.image_id}").status_int)
        self.offset(path, 404)
        self.add(path, 100, BODY[100:], 404)
        self.reap()
        self.assert_nothing_left()

    def test_image_that_is_deleted_while_bytes_arrive(self):
        path = self.begin()

        class Deleting(Stream):
            def read(stream, size=-1):
                self.send("DELETE", f"/v2/images/{self.image_id}")
                self.reap()
                return super().read(size)

        headers = {"Tus_Resumable": "1.0.0", "Content_Type": TYPE, "Upload_Offset": 0}
        answer = self.send_stream("PATCH", path, Deleting(BODY), len(BODY), **headers)
        self.assertEqual(404, answer.status_int)
        self.reap()
        self.assert_nothing_left()

    def test_full_disk_keeps_what_was_written_and_the_upload_goes_on_later(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        write = FileDraft.write

        def full(draft, chunk):
            raise OSError(28, "No space left on device")

        FileDraft.write = full
        self.addCleanup(setattr, FileDraft, "write", write)
        self.add(path, 100, BODY[100:], 413)
        FileDraft.write = write
        self.assertEqual((100, "queued"), (self.offset(path), self.status()))
        self.add(path, 100, BODY[100:])
        self.assert_active()

    def test_staged_bytes_that_are_lost_are_noticed(self):
        path = self.begin()
        self.add(path, 0, BODY[:100])
        os.truncate(self.staging / self.staged()[0], 50)
        self.add(path, 100, BODY[100:], 410)

    def test_upload_whose_store_fails_at_the_end_is_finished_by_a_job(self):
        path = self.begin()
        driver = self.driver("fast")
        write = driver.write

        def failing(*_arguments, **_more):
            raise store_errors.RemoteServiceUnavailable(reason="away")

        driver.write = failing
        self.add(path, 0, BODY, 503)
        self.assertEqual((len(BODY), "queued"), (self.offset(path), self.status()))
        del driver.write
        self.assertEqual(write, driver.write)
        self.reap(600)
        self.work()
        self.assert_active()
        (task,) = self.tasks(self.image_id)
        self.assertEqual(("finish_upload", "success"), (task["type"], task["status"]))

    def test_upload_that_another_was_faster_to_finish_is_no_error(self):
        path = self.begin()
        services = self.service.services
        late = ResumedUploads(self.service.stack, services.stores, services.buffers)
        wanted = GetUploadSession(self.image_id, None, path.rpartition("/")[2])
        self.add(path, 0, BODY)
        session = self.service.stack.call(self.service.context("member"), wanted)
        late.finish(self.service.context("member"), replace(session, is_finished=False))
        self.assert_active()
        self.assertEqual(len(BODY), self.offset(path))

    def test_client_may_finish_it_too(self):
        path = self.begin()
        driver = self.driver("fast")

        def failing(*_arguments, **_more):
            raise store_errors.RemoteServiceUnavailable(reason="away")

        driver.write = failing
        self.add(path, 0, BODY, 503)
        del driver.write
        self.reap(60)
        self.add(path, len(BODY), b"")
        self.assert_active()
        self.reap(600)
        self.assertEqual([], self.tasks(self.image_id))
