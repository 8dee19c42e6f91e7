"""Jobs that give an image other data with the same disk: coalesce, rebase, convert (api-incremental-jobs)."""

import hashlib
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

from webob import Response

from glance_mini.domain.clock import utcnow
from glance_mini.domain.image import Image
from glance_mini.domain.job import COALESCE, CONVERT, REBASE, Job
from glance_mini.jobs.replace_data import CoalesceJob
from glance_mini.maintenance.removal import remove_data
from glance_mini.operations.bases import GetDiskIndex, LoadChain
from glance_mini.operations.data import DownloadData
from glance_mini.operations.jobs import CancelJob
from glance_mini.operations.records import TakeDueRemovals
from glance_mini.workers.base import Control, JobType
from tests.http.incremental import MIB, IncrementalTest, run
from tests.http.working import Watched


class Dying(JobType):
    """Runs jobs of another type, and dies without a word at their check number ``at``; later runs go on."""

    def __init__(self, job_type: JobType, at: int) -> None:
        self._watched = Watched(job_type, self._look)
        self._job_type = job_type
        self._left = at

    def _look(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise SystemExit("killed")

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        return self._watched.run(job, control)

    def give_up(self, job: Job, reason: str) -> None:
        self._job_type.give_up(job, reason)


class DyingAtSharing(JobType):
    """Runs a job that shares an image, and dies before it does so or after."""

    def __init__(self, job_type: JobType, moment: str) -> None:
        assert isinstance(job_type, CoalesceJob)
        self._moment = moment
        self._dying = copy(job_type)
        self._finish = job_type.finish
        vars(self._dying)["finish"] = self._finish_and_die

    def run(self, job: Job, control: Control) -> Mapping[str, object]:
        return self._dying.run(job, control)

    def _finish_and_die(self, job: Job, image: Image, control: Control) -> None:
        if self._moment == "after":
            self._finish(job, image, control)
        raise SystemExit("killed")


class JobsTest(IncrementalTest):
    def request(self, image_id: str, action: str, body: Any = None, caller: str = "member") -> dict[str, Any]:
        """Return the task of a job that was accepted."""
        answer = self.act(image_id, action, body, caller)
        self.assertEqual(202, answer.status_int, answer.text)
        task: dict[str, Any] = answer.json
        return task

    def index(self, image_id: str) -> bytes:
        """Return what is kept as the index of the complete disk of an image."""
        return self.service.services.data.run(GetDiskIndex(image_id))

    def last_task(self, image_id: str) -> dict[str, Any]:
        """Return the youngest task of an image."""
        return self.tasks(image_id)[-1]

    def remove_replaced(self) -> None:
        """Delete from the stores what no image has any more, as the reaper does after a while."""
        services = self.service.services
        due = services.data.run(TakeDueRemovals(timedelta(hours=1)), utcnow() + timedelta(hours=1))
        for removal in due:
            remove_data(services.stores, None, removal, services.data.run)


class TestCoalescing(JobsTest):
    def test_complete_disk_takes_the_place_of_the_delta(self) -> None:
        base, top = self.chain()
        self.work()
        before, whole = self.show(top), self.file(top).body
        task = self.request(top, "coalesce")
        self.assertEqual((COALESCE, "pending", top), (task["type"], task["status"], task["image_id"]))
        self.work()
        after = self.show(top)
        self.assertEqual("success", self.last_task(top)["status"])
        for name in ("size", "checksum", "os_hash_value", "virtual_size", "disk_format", "status"):
            self.assertEqual(before[name], after[name])
        self.assertTrue({"os_base_image", "os_glance_import_task"}.isdisjoint(after))
        self.assertEqual(whole, self.file(top).body)
        self.remove_replaced()
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{base}").status_int)
        self.assertEqual(whole, self.file(top).body)
        self.assertEqual([1], self.kept("fast"))
        self.assertEqual(self.disks.guest(self.top_file), self.disks.guest_of(whole))

    def test_hashes_come_with_the_job_where_they_were_not_known(self) -> None:
        _, top = self.chain()
        self.request(top, "coalesce")
        self.work()
        self.assertEqual(self.file(top).headers["Content-MD5"], self.show(top)["checksum"])

    def test_images_above_stay_the_same(self) -> None:
        _, top = self.chain()
        third = self.upload(self.disks.make("third", (0x55, 0, 4096), base="top"), top)
        self.work()
        before, whole = self.show(third), self.file(third).body
        self.request(top, "coalesce")
        self.work()
        self.remove_replaced()
        self.assertEqual("success", self.last_task(top)["status"])
        self.assertEqual((before, whole), (self.show(third), self.file(third).body))

    def test_images_above_get_indexes_of_the_chain_as_it_is(self) -> None:
        _, top = self.chain()
        third = self.upload(self.disks.make("third", (0x55, 0, 4096), base="top"), top)
        fourth = self.upload(self.disks.make("fourth", (0x66, 0, 4096), base="third"), third)
        self.work()
        before = [self.file(one).body for one in (third, fourth)]
        indexes = [self.index(one) for one in (third, fourth)]
        self.request(top, "coalesce")
        self.work()
        for image_id, index in zip((third, fourth), indexes, strict=True):
            self.assertNotIn(self.index(image_id), (b"", index))
        with self.assertNoLogs("glance_mini.content.disks", "WARNING"):
            self.assertEqual(before, [self.file(one).body for one in (third, fourth)])

    def test_images_above_without_readable_files_do_not_fail_the_job(self) -> None:
        _, top = self.chain()
        third = self.upload(self.disks.make("third", (0x55, 0, 4096), base="top"), top)
        self.work()
        stored = self.service.services.data.run(LoadChain(third))[0].locations[0]
        self.service.services.stores.for_location(stored.url, stored.store).delete(stored.url)
        self.request(top, "coalesce")
        self.work()
        self.assertEqual(("success", b""), (self.last_task(top)["status"], self.index(third)))

    def test_images_above_with_smaller_clusters_forbid_it(self) -> None:
        base = self.upload(self.base_file)
        wide = self.disks.make("wide", (0x55, 0, 4096), base="base", cluster_size="1M")
        middle = self.upload(wide, base)
        top = self.upload(self.disks.make("narrow", (0x66, 0, 4096), base="wide", cluster_size="64k"), middle)
        whole = self.file(top).body
        self.request(middle, "coalesce")
        self.work()
        task = self.last_task(middle)
        self.assertEqual(("failure", base), (task["status"], self.show(middle)["os_base_image"]))
        self.assertIn("complete disks would change", task["message"])
        self.assertNotIn("os_glance_import_task", self.show(middle))
        self.assertEqual((whole, [3]), (self.file(top).body, self.kept("fast")))

    def test_reader_who_began_before_gets_the_right_bytes(self) -> None:
        _, top = self.chain()
        whole = self.file(top).body
        stack, context = self.service.stack, self.service.context("member")
        readers = [stack.call(context, DownloadData(top)) for _ in range(2)]
        assert readers[0] is not None and readers[1] is not None
        begun = next(readers[0].chunks)
        self.request(top, "coalesce")
        self.work()
        self.remove_replaced()
        self.assertEqual(whole, bytes(begun) + b"".join(map(bytes, readers[0].chunks)))
        self.assertEqual(whole, b"".join(map(bytes, readers[1].chunks)))

    def test_killed_at_any_moment_it_goes_on_and_the_image_is_readable(self) -> None:
        _, top = self.chain()
        whole = self.file(top).body
        for moment in range(1, 12):
            image = self.upload(self.top_file, self.show(top)["os_base_image"])
            self.work()
            self.request(image, "coalesce")
            dying = Dying(self.job_types[COALESCE], moment)
            worker = self.worker(**{COALESCE: dying})
            try:
                while worker.run_one():
                    pass
                killed = False
            except SystemExit:
                killed = True
            self.assertEqual(whole, self.file(image).body)
            self.passed += timedelta(minutes=5)
            self.work()
            shown = self.show(image)
            self.assertNotIn("os_base_image", shown)
            self.assertNotIn("os_glance_import_task", shown)
            self.assertEqual(whole, self.file(image).body)
            self.send("DELETE", f"/v2/images/{image}")
            self.remove_replaced()
            self.assertEqual([2], self.kept("fast"), moment)
            if not killed:
                return
        self.assertGreater(moment, 3)

    def test_job_of_an_administrator_is_one_of_the_project_of_the_image(self) -> None:
        _, top = self.chain()
        task = self.request(top, "coalesce", caller="admin")
        self.assertEqual(self.show(top)["owner"], task["owner"])
        self.work()
        self.assertEqual("success", self.send("GET", f"/v2/images/{top}/tasks").json["tasks"][-1]["status"])

    def test_base_that_is_gone_ends_the_job_with_a_clear_message_and_leaves_the_delta(self) -> None:
        base, top = self.chain()
        other = self.upload(self.base_file)
        for location in list(self.driver("fast").locations()):
            if base in location:
                self.driver("fast").delete(location)
        for action, body in (("coalesce", None), ("rebase", {"base": other})):
            self.request(top, action, body)
            for _ in range(4):
                self.work()
            task = self.last_task(top)
            self.assertEqual(("failure", base), (task["status"], self.show(top)["os_base_image"]))
            self.assertIn("based on", task["message"])
            self.assertEqual([2], self.kept("fast"))

    def test_cancelled_it_leaves_the_delta(self) -> None:
        base, top = self.chain()
        self.work()
        task = self.request(top, "coalesce")
        self.service.services.data.run(CancelJob(task["id"]))
        self.work()
        image = self.show(top)
        self.assertEqual((base, None), (image["os_base_image"], image.get("os_glance_import_task")))
        self.assertEqual([2], self.kept("fast"))

    def test_deleted_image_leaves_nothing(self) -> None:
        _, top = self.chain()
        self.request(top, "coalesce")
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{top}").status_int)
        self.work()
        self.assertEqual([1], self.kept("fast"))

    def test_refusals(self) -> None:
        base, top = self.chain()
        self.assertEqual(409, self.act(base, "coalesce").status_int)
        self.assertEqual(
            [403, 404], [self.act(top, "coalesce", caller=each).status_int for each in ("reader", "other")]
        )
        self.request(top, "coalesce")
        self.assertEqual(409, self.act(top, "coalesce").status_int)
        self.assertEqual(409, self.act(self.create(), "coalesce").status_int)


class TestCoalescingToADepth(JobsTest):
    def deep(self) -> list[str]:
        """Return a chain of five, the base first; clusters have several sizes, and some read zeros over nothing."""
        ids = list(self.chain())
        disks = self.disks
        disks.make("third", (0x44, 6 * MIB, 4096), (0, 0, 8192), base="top", cluster_size="4k")
        run("qemu-io", "-f", "qcow2", "-c", "write -z 7M 64k", "-c", "write -z 1M 4k", disks.directory / "third")
        disks.make("fourth", (0x55, 2 * MIB, 100_000), base="third", cluster_size="512k")
        disks.make("fifth", (0x66, 5 * MIB + 512, 512), base="fourth", cluster_size="64k", size=9 * MIB)
        for name in ("third", "fourth", "fifth"):
            ids.append(self.upload(disks.directory / name, ids[-1]))
        self.work()
        return ids

    def test_some_bases_stay_and_the_complete_disk_is_the_same(self) -> None:
        ids = self.deep()
        before, whole, stored = self.show(ids[4]), self.file(ids[4]).body, self.file(ids[4], "?delta=true").body
        for depth in (3, 2, 1):
            self.assertEqual(202, self.act(ids[4], "coalesce", {"depth": depth}).status_int)
            self.work()
            self.assertEqual("success", self.last_task(ids[4])["status"], self.last_task(ids[4])["message"])
            after = self.show(ids[4])
            self.assertEqual(ids[depth - 1], after["os_base_image"])
            for name in ("size", "checksum", "os_hash_value", "virtual_size"):
                self.assertEqual(before[name], after[name])
            self.assertEqual(whole, self.file(ids[4]).body)
            delta = self.file(ids[4], "?delta=true").body
            self.assertGreater(len(delta), len(stored))
        self.assertEqual(self.disks.guest(self.disks.directory / "fifth"), self.disks.guest_of(whole))
        self.assertLess(len(delta), len(whole))
        self.remove_replaced()
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{ids[3]}").status_int)
        self.assertEqual(whole, self.file(ids[4]).body)

    def test_images_above_a_level_that_is_coalesced_stay_the_same(self) -> None:
        ids = self.deep()
        wholes = [self.file(each).body for each in ids]
        self.act(ids[2], "coalesce", {"depth": 1})
        self.work()
        self.assertEqual(ids[0], self.show(ids[2])["os_base_image"])
        self.assertEqual(wholes, [self.file(each).body for each in ids])

    def test_refusals(self) -> None:
        _, top = self.chain()
        for depth, status in ((1, 409), (7, 409), (-1, 400), (65, 400), ("1", 400), (True, 400), (None, 400)):
            self.assertEqual(status, self.act(top, "coalesce", {"depth": depth}).status_int, depth)
        self.assertEqual(400, self.act(top, "coalesce", [1]).status_int)
        self.assertEqual([], self.tasks(top))

    def test_attempt_that_begins_again_says_why(self) -> None:
        _, top = self.chain()
        self.request(top, "coalesce")
        messages: list[str] = []
        self.assertRaises(SystemExit, self.worker(**{COALESCE: Dying(self.job_types[COALESCE], 3)}).run_one)
        self.passed += timedelta(minutes=5)
        watched = Watched(self.job_types[COALESCE], lambda: messages.append(self.last_task(top)["message"]))
        self.worker(**{COALESCE: watched}).run_one()
        self.assertIn("attempt 1 was ended", "".join(messages))
        self.assertNotIn("os_base_image", self.show(top))


class TestSharing(JobsTest):
    def publish(self, image_id: str, visibility: str = "community", caller: str = "member") -> Response:
        """Return the answer to a change of the visibility that may flatten the image."""
        return self.patch(image_id, "visibility", visibility, caller, "?flatten=true")

    def share(self, image_id: str, member: str = "p2", caller: str = "member") -> Response:
        """Return the answer to a new member for whom the image may be flattened."""
        return self.send("POST", f"/v2/images/{image_id}/members?flatten=true", {"member": member}, caller=caller)

    def test_image_is_made_whole_and_then_published(self) -> None:
        base, top = self.chain()
        whole = self.file(top).body
        answer = self.publish(top)
        self.assertEqual((202, COALESCE, "pending"), (answer.status_int, answer.json["type"], answer.json["status"]))
        # Until the job has ended, nobody else can read it, and nothing else can begin.
        self.assertEqual(("shared", base), (self.show(top)["visibility"], self.show(top)["os_base_image"]))
        self.assertEqual(404, self.file(top, caller="other").status_int)
        self.assertEqual([409, 409], [each(top).status_int for each in (self.publish, self.share)])
        self.work()
        shown = self.show(top)
        self.assertEqual(("community", None), (shown["visibility"], shown.get("os_base_image")))
        self.assertEqual("success", self.last_task(top)["status"])
        self.assertEqual(whole, self.file(top, caller="other").body)
        self.assertEqual(404, self.file(base, caller="other").status_int)

    def test_image_is_made_whole_and_then_has_the_member(self) -> None:
        _, top = self.chain()
        self.assertEqual(202, self.share(top).status_int)
        self.assertEqual([], self.send("GET", f"/v2/images/{top}/members").json["members"])
        self.work()
        members = self.send("GET", f"/v2/images/{top}/members").json["members"]
        self.assertEqual([("p2", "pending")], [(each["member_id"], each["status"]) for each in members])
        self.assertEqual(200, self.file(top, caller="other").status_int)

    def test_nothing_is_flattened_where_the_base_may_be_seen(self) -> None:
        base, top = self.chain()
        self.send("POST", f"/v2/images/{base}/members", {"member": "p2"})
        self.assertEqual([200, 200], [self.share(top).status_int, self.publish(top, "private").status_int])
        self.assertEqual([200, 200], [self.publish(each).status_int for each in (base, top)])
        self.assertEqual(base, self.show(top)["os_base_image"])

    def test_members_of_an_image_that_was_private_count(self) -> None:
        base, top = self.chain()
        for image in (base, top):
            self.send("POST", f"/v2/images/{image}/members", {"member": "p2"})
        self.patch(top, "visibility", "private")
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{base}/members/p2").status_int)
        self.assertEqual(202, self.publish(top, "shared").status_int)
        self.work()
        self.assertEqual(("shared", 200), (self.show(top)["visibility"], self.file(top, caller="other").status_int))

    def test_what_sharing_needs_is_needed_with_a_job_too(self) -> None:
        _, top = self.chain()
        self.assertEqual(403, self.publish(top, "public").status_int)
        self.assertEqual([403, 404], [self.publish(top, caller=each).status_int for each in ("reader", "other")])
        self.assertEqual(400, self.patch(top, "name", "x", query="?flatten=true").status_int)
        self.assertEqual(400, self.patch(top, "visibility", "shared", query="?flatten=perhaps").status_int)
        self.patch(top, "visibility", "private")
        self.assertEqual(403, self.share(top).status_int)
        self.assertEqual([], self.tasks(top))

    def test_change_meanwhile_wins(self) -> None:
        _, top = self.chain()
        self.publish(top)
        self.patch(top, "visibility", "private")
        self.work()
        task = self.last_task(top)
        self.assertEqual(("private", "failure"), (self.show(top)["visibility"], task["status"]))
        self.reread(task["message"], "whole now", "private")

    def test_killed_between_both_it_is_shared_by_the_next_worker(self) -> None:
        for ask, shared in ((self.publish, "community"), (self.share, "shared")):
            _, top = self.chain()
            ask(top)
            for moment in ("before", "after"):
                dying = DyingAtSharing(self.job_types[COALESCE], moment)
                self.assertRaises(SystemExit, self.worker(**{COALESCE: dying}).run_one)
                self.passed += timedelta(minutes=5)
            self.work()
            self.assertEqual((shared, "success"), (self.show(top)["visibility"], self.last_task(top)["status"]))
            self.assertEqual(200, self.file(top, caller="other").status_int)


class TestAutomaticCoalescing(JobsTest):
    options = {"incremental": {"coalesce_depth": 1}}

    def test_deep_chain_is_coalesced(self) -> None:
        base, top = self.chain()
        third = self.upload(self.disks.make("third", (0x55, 0, 4096), base="top"), top)
        whole = self.file(third).body
        self.work()
        self.assertEqual([base, base], [self.show(each)["os_base_image"] for each in (top, third)])
        self.assertEqual(whole, self.file(third).body)


class TestQuota(JobsTest):
    options = {"DEFAULT": {"user_storage_quota": "3MB"}}

    def test_complete_disk_that_has_no_room_is_not_stored(self) -> None:
        base, top = self.chain()
        self.request(top, "coalesce")
        self.work()
        self.assertEqual((base, "failure"), (self.show(top)["os_base_image"], self.last_task(top)["status"]))
        self.assertEqual([2], self.kept("fast"))


class TestConverting(JobsTest):
    def test_disk_is_stored_in_another_format_and_back(self) -> None:
        image = self.upload(self.base_file)
        guest = self.disks.guest(self.base_file)
        task = self.request(image, "convert", {"disk_format": "raw"})
        self.assertEqual(CONVERT, task["type"])
        self.work()
        shown = self.show(image)
        self.assertEqual(("raw", 8 * MIB, 8 * MIB), tuple(shown[n] for n in ("disk_format", "size", "virtual_size")))
        self.assertEqual(guest, self.file(image).body)
        self.assertEqual(self.file(image).headers["Content-MD5"], shown["checksum"])
        self.request(image, "convert", {"disk_format": "qcow2"})
        self.work()
        self.assertEqual("qcow2", self.show(image)["disk_format"])
        self.assertEqual(guest, self.disks.guest_of(self.file(image).body))
        self.remove_replaced()
        self.assertEqual([1], self.kept("fast"))

    def convert_to_new(self, image: str, disk_format: str, **values: Any) -> str:
        """Return the id of the new image that a conversion is to fill."""
        body = {"disk_format": disk_format, "new_image": {"name": "copy"}}
        return str(self.request(image, "convert", body, **values)["image_id"])

    def test_incremental_image_is_converted_to_a_new_one_and_stays(self) -> None:
        base, top = self.chain()
        guest = self.disks.guest(self.top_file)
        for wanted in ("raw", "qcow2"):
            new = self.convert_to_new(top, wanted)
            self.assertEqual(("importing", "copy"), (self.status_of(new), self.show(new)["name"]))
            self.work()
            shown = self.show(new)
            found = tuple(shown[name] for name in ("status", "disk_format", "virtual_size"))
            self.assertEqual(("active", wanted, 8 * MIB), found)
            self.assertEqual((self.show(top)["owner"], None), (shown["owner"], shown.get("os_base_image")))
            data = self.file(new).body
            self.assertEqual(guest, data if wanted == "raw" else self.disks.guest_of(data))
            self.assertEqual(hashlib.md5(data).hexdigest(), shown["checksum"])
        self.assertEqual((base, [4]), (self.show(top)["os_base_image"], self.kept("fast")))

    def test_new_image_of_a_source_that_is_gone_is_queued_again(self) -> None:
        source = self.upload(self.base_file)
        new = self.convert_to_new(source, "raw")
        self.send("DELETE", f"/v2/images/{source}")
        self.work()
        self.assertEqual(("queued", "failure"), (self.status_of(new), self.last_task(new)["status"]))
        self.assertNotIn("os_glance_import_task", self.show(new))
        self.assertEqual([0], self.kept("fast"))

    def test_killed_at_any_moment_a_new_image_gets_its_data(self) -> None:
        source = self.upload(self.base_file)
        guest = self.disks.guest(self.base_file)
        for moment in range(1, 8):
            new = self.convert_to_new(source, "raw")
            try:
                self.worker(**{CONVERT: Dying(self.job_types[CONVERT], moment)}).run_one()
            except SystemExit:
                self.passed += timedelta(minutes=5)
            self.work()
            self.assertEqual(guest, self.file(new).body)
            self.send("DELETE", f"/v2/images/{new}")
            self.assertEqual([1], self.kept("fast"))

    def test_refused_new_images_leave_nothing(self) -> None:
        image = self.upload(self.base_file)
        bodies: tuple[Any, ...] = (
            None,
            "x",
            {},
            {"name": ""},
            {"name": 7},
            {"name": "x" * 256},
            {"name": "x", "id": "y"},
        )
        for new in bodies:
            body = {"disk_format": "raw", "new_image": new}
            self.assertEqual(400, self.act(image, "convert", body).status_int, new)
        body = {"disk_format": "raw", "new_image": {"name": "x"}}
        self.assertEqual(409, self.act(self.create(), "convert", body).status_int)
        self.assertEqual(
            [403, 404], [self.act(image, "convert", body, each).status_int for each in ("reader", "other")]
        )
        names = [each["name"] for each in self.send("GET", "/v2/images").json["images"]]
        self.assertNotIn("x", names)

    def test_other_formats_are_read_by_a_program_that_is_watched(self) -> None:
        guest = self.disks.guest(self.base_file)
        for kind, program in (("vmdk", "vmdk"), ("vdi", "vdi"), ("vhdx", "vhdx"), ("vhd", "vpc")):
            path = self.disks.directory / kind
            run("qemu-img", "convert", "-O", program, self.base_file, path)
            image = self.upload(path, disk_format=kind)
            new = self.convert_to_new(image, "qcow2")
            self.request(image, "convert", {"disk_format": "raw"})
            self.work()
            self.assertEqual(("raw", "success"), (self.show(image)["disk_format"], self.last_task(image)["status"]))
            # A vhd has whole cylinders.
            self.assertEqual(guest, self.file(image).body[: len(guest)], kind)
            self.assertEqual(guest, self.disks.guest_of(self.file(new).body)[: len(guest)], kind)
        self.assertEqual([], list(Path(self.service.conf.task.work_dir).iterdir()))

    def test_disk_that_names_another_file_is_not_converted(self) -> None:
        secret = self.disks.directory / "secret"
        secret.write_bytes(b"secret" * 100_000)
        descriptor = (
            '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
            f'RW 1024 FLAT "{secret}" 0\n'
        )
        image = self.create(disk_format="vmdk")
        answer = self.put(image, descriptor.encode())
        self.assertEqual(415, answer.status_int, answer.text)
        # What came in otherwise is inspected again before the program sees it.
        path = self.disks.directory / "vmdk"
        run("qemu-img", "convert", "-O", "vmdk", self.base_file, path)
        image = self.upload(path, disk_format="vmdk")
        (location,) = self.driver("fast").locations()
        self.driver("fast")._data[location] = descriptor.encode().ljust(path.stat().st_size, b"\n")
        self.request(image, "convert", {"disk_format": "raw"})
        self.work()
        task = self.last_task(image)
        self.assertEqual(("failure", "vmdk"), (task["status"], self.show(image)["disk_format"]))
        self.assertNotIn("qemu-img", task["message"])
        self.assertEqual([], list(Path(self.service.conf.task.work_dir).iterdir()))

    def test_refusals(self) -> None:
        base, top = self.chain()
        raw = {"disk_format": "raw"}
        self.assertEqual(409, self.act(top, "convert", raw).status_int)
        answer = self.act(base, "convert", raw)
        self.assertEqual((409, True), (answer.status_int, top in answer.text))
        other = self.upload(self.base_file)
        for body, status in (({"disk_format": "vmdk"}, 400), ({}, 400), ({"disk_format": "qcow2"}, 409)):
            self.assertEqual(status, self.act(other, "convert", body).status_int)
        self.assertEqual(403, self.act(other, "convert", raw, "reader").status_int)


class TestRebasing(JobsTest):
    def setUp(self) -> None:
        super().setUp()
        self.base, self.top = self.chain()
        newer = self.disks.make("newer", (0x11, 0, MIB), (0x33, 3 * MIB + 65536, 65536), (0x77, 5 * MIB, 65536))
        self.newer_file, self.newer = newer, self.upload(newer)

    def test_image_keeps_its_disk_on_another_base(self) -> None:
        guest = self.disks.guest(self.top_file)
        task = self.request(self.top, "rebase", {"base": self.newer})
        self.assertEqual(REBASE, task["type"])
        self.work()
        self.assertEqual("success", self.last_task(self.top)["status"], self.last_task(self.top)["message"])
        shown = self.show(self.top)
        self.assertEqual(self.newer, shown["os_base_image"])
        self.assertEqual(guest, self.disks.guest_of(self.file(self.top).body))
        self.assertEqual(guest, self.file(self.top, "?format=raw").body)
        self.assertIsNotNone(shown["checksum"])
        self.assertEqual(204, self.send("DELETE", f"/v2/images/{self.base}").status_int)

    def test_whole_image_becomes_a_delta(self) -> None:
        image = self.upload(self.base_file)
        guest = self.disks.guest(self.base_file)
        self.request(image, "rebase", {"base": self.newer})
        self.work()
        self.assertEqual(self.newer, self.show(image)["os_base_image"])
        self.assertEqual(guest, self.disks.guest_of(self.file(image).body))
        self.assertLess(len(self.file(image, "?delta=true").body), self.base_file.stat().st_size)

    def test_killed_at_any_moment_it_goes_on_and_the_image_is_readable(self) -> None:
        guest = self.disks.guest(self.top_file)
        for moment in range(1, 11):
            target = (self.newer, self.base)[(moment + 1) % 2]
            self.request(self.top, "rebase", {"base": target})
            worker = self.worker(**{REBASE: Dying(self.job_types[REBASE], moment)})
            try:
                while worker.run_one():
                    pass
            except SystemExit:
                pass
            self.assertEqual(guest, self.file(self.top, "?format=raw").body)
            self.passed += timedelta(minutes=5)
            self.work()
            self.assertEqual(target, self.show(self.top)["os_base_image"])
            self.assertEqual(guest, self.disks.guest_of(self.file(self.top).body))
            self.remove_replaced()
            self.assertEqual([3], self.kept("fast"), moment)

    def test_refusals(self) -> None:
        hidden = self.upload(self.base_file, caller="other", visibility="private")
        for body, status in (
            ({}, 400),
            ({"base": hidden}, 400),
            ({"base": self.top}, 400),
            ({"base": self.create()}, 409),
        ):
            self.assertEqual(status, self.act(self.top, "rebase", body).status_int)
        answer = self.act(self.base, "rebase", {"base": self.newer})
        self.assertEqual((409, True), (answer.status_int, self.top in answer.text))
        self.assertEqual(403, self.act(self.top, "rebase", {"base": self.newer}, "reader").status_int)
