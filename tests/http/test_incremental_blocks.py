"""The blocks of disks with their hashes (api-incremental-blocks)."""

import hashlib
from datetime import timedelta
from typing import Any

from webob import Response

from glance_mini.domain import blocks as rules
from glance_mini.jobs import block_hashes
from glance_mini.layers.location import blocks as listing
from tests.http.incremental import MIB, IncrementalTest
from tests.http.test_incremental_jobs import Dying


class TestBlocks(IncrementalTest):
    def setUp(self) -> None:
        super().setUp()
        self.base, self.top = self.chain()
        self.guest = self.disks.guest(self.top_file)

    def ask(self, image_id: str, query: str = "", caller: str = "member") -> Response:
        """Return the answer to a request for blocks."""
        return self.send("GET", f"/v2/images/{image_id}/blocks{query}", caller=caller)

    def blocks(self, image_id: str, query: str = "") -> list[dict[str, Any]]:
        """Return the blocks of all pages, after the job that a first request begins."""
        if self.ask(image_id, query).status_int == 202:
            self.work()
        found, path = [], f"/v2/images/{image_id}/blocks{query}"
        while path:
            page = self.send("GET", path).json
            found += page["blocks"]
            path = page.get("next")
        return found

    def described(self, *numbers: int, size: int = MIB) -> list[dict[str, Any]]:
        """Return what the list says of blocks of the guest's disk."""
        return [
            {
                "offset": number * size,
                "length": size,
                "sha256": hashlib.sha256(self.guest[number * size : (number + 1) * size]).hexdigest(),
            }
            for number in numbers
        ]

    def test_hashes_are_computed_when_somebody_first_asks(self) -> None:
        answer = self.ask(self.top)
        self.assertEqual((202, "5"), (answer.status_int, answer.headers["Retry-After"]))
        self.assertEqual(202, self.ask(self.top).status_int)
        self.work()
        page = self.ask(self.top).json
        self.assertEqual(self.described(0, 3), page["blocks"])
        self.assertEqual((8 * MIB, MIB), (page["virtual_size"], page["block_size"]))
        self.assertNotIn("next", page)

    def test_pages_together_are_the_whole_list(self) -> None:
        self.assertEqual(self.described(0, 3), self.blocks(self.top, "?limit=1"))
        self.assertEqual(self.described(3), self.ask(self.top, f"?marker={2 * MIB}").json["blocks"])

    def test_difference_to_a_base(self) -> None:
        self.assertEqual(self.described(3), self.blocks(self.top, f"?since={self.base}"))
        third = self.disks.make("third", (0x55, 6 * MIB, 4096), base="top")
        self.guest = self.disks.guest(third)
        image = self.upload(third, self.top)
        self.assertEqual(self.described(6), self.blocks(image, f"?since={self.top}"))
        self.assertEqual(self.described(3, 6), self.blocks(image, f"?since={self.base}&limit=1"))
        for other in (image, self.upload(self.base_file), "x"):
            self.assertEqual(400, self.ask(image, f"?since={other}").status_int)

    def test_parts_of_a_block(self) -> None:
        page = self.ask(self.top, "?within=3").json
        self.assertEqual(self.described(*range(48, 64), size=65536), page["blocks"])
        self.assertEqual(65536, page["block_size"])
        self.assertEqual([], self.ask(self.top, "?within=5").json["blocks"])
        self.assertEqual(400, self.ask(self.top, "?within=8").status_int)

    def test_whole_images_have_blocks_too(self) -> None:
        self.guest = self.disks.guest(self.base_file)
        self.assertEqual(self.described(0, 3), self.blocks(self.base))
        raw = self.create()
        self.put(raw, b"x" * (MIB + 10))
        last = hashlib.sha256(b"x" * 10).hexdigest()
        self.assertEqual({"offset": MIB, "length": 10, "sha256": last}, self.blocks(raw)[-1])

    def test_hashes_stay_right_when_the_image_is_coalesced(self) -> None:
        before = self.blocks(self.top)
        self.act(self.top, "coalesce")
        self.work()
        self.assertEqual(202, self.ask(self.top).status_int)
        self.assertEqual(before, self.blocks(self.top))

    def test_many_parts_are_listed_and_a_killed_job_goes_on(self) -> None:
        for module in (rules, block_hashes, listing):
            self.patch(module, "PART", 2)
        for moment in range(1, 5):
            image = self.upload(self.top_file, self.base)
            self.ask(image)
            worker = self.worker(**{rules.BLOCK_HASHES: Dying(self.job_types[rules.BLOCK_HASHES], moment)})
            try:
                while worker.run_one():
                    pass
            except SystemExit:
                self.assertEqual(202, self.ask(image).status_int)
            self.passed += timedelta(minutes=5)
            self.work()
            self.assertEqual(self.described(0, 3), self.ask(image).json["blocks"])

    def test_refusals(self) -> None:
        other = self.create(disk_format="aki", container_format="aki")
        self.put(other, b"x")
        self.assertEqual([409, 409], [self.ask(each).status_int for each in (other, self.create())])
        self.assertEqual([403, 404], [self.ask(self.top, caller=each).status_int for each in ("reader", "other")])
        for query in ("?marker=x", "?within=-1", "?limit=x"):
            self.assertEqual(400, self.ask(self.top, query).status_int)
        self.act(self.top, "deactivate")
        self.assertEqual(403, self.ask(self.top).status_int)

    def test_data_that_is_gone_is_a_clear_error(self) -> None:
        self.blocks(self.top)
        for location in list(self.driver("fast").locations()):
            self.driver("fast").delete(location)
        self.assertEqual(self.described(0, 3), self.ask(self.top).json["blocks"])
        for query in ("?within=0", f"?since={self.base}"):
            self.assertEqual(503, self.ask(self.top, query).status_int)
