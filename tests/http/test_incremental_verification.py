"""The verification of stores with incremental images: a base is known, and a broken delta is repaired as a delta."""

import hashlib
import time

from glance_mini.domain.job import VERIFY
from glance_mini.domain.verification import DAMAGED, REPAIRED
from glance_mini.jobs.verify import VerifyJob
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.records import LoadImage
from glance_mini.operations.verification import BeginVerification, ListFindings
from glance_mini.verification.schedule import verify_job
from glance_mini.verification.settings import VerifyRequest, VerifySettings
from tests.http.incremental import IncrementalTest

OLD = time.time() - 7 * 24 * 3600


class TestVerification(IncrementalTest):
    def setUp(self) -> None:
        super().setUp()
        self.job_types[VERIFY] = VerifyJob(self.service.services, VerifySettings(), save_seconds=0)

    def verify(self, **values: bool) -> dict[str, object]:
        """Return what a run has counted, without zeros and bytes."""
        data = self.service.services.data
        job = data.run(BeginVerification(verify_job(VerifyRequest(**values))))
        assert job is not None
        for store in ("fast", "cheap"):
            written = self.driver(store)._written_at
            written.update(dict.fromkeys(written, OLD))
        self.work()
        counts = data.run(GetJob(job.id)).result
        return {name: count for name, count in counts.items() if count and name != "bytes"}

    def copied_chain(self) -> tuple[str, str]:
        """Return a base and an image on it, which have copies in both stores and their hashes."""
        base, top = self.chain()
        self.work()
        for image in (base, top):
            self.assertEqual("cheap,fast", self.run_import(image, "copy-image", "admin", stores=["cheap"])["stores"])
        return base, top

    def stored(self, image_id: str, store: str) -> str:
        """Return the location of an image in a store."""
        image = self.service.services.data.run(LoadImage(image_id))
        (found,) = [location.url for location in image.locations if location.store == store]
        return str(found)

    def damage(self, image_id: str, store: str) -> None:
        """Change one bit of what a store has of an image."""
        data = self.driver(store)._data
        url = self.stored(image_id, store)
        data[url] = data[url][:-1] + bytes([data[url][-1] ^ 1])

    def test_bases_and_deltas_are_good_and_nothing_of_them_is_removed(self) -> None:
        base, top = self.copied_chain()
        whole = self.file(top).body
        self.assertEqual({"copies": 4, "good": 4}, self.verify(repairs=True, removes_unknown=True))
        self.assertEqual((), self.service.services.data.run(ListFindings(0, 10)))
        self.assertEqual(whole, self.file(top).body)
        self.assertEqual(self.base_file.read_bytes(), self.file(base).body)

    def test_base_that_images_need_is_known(self) -> None:
        base, top = self.chain()
        self.work()
        self.assertEqual(409, self.send("DELETE", f"/v2/images/{base}").status_int)
        self.assertEqual({"copies": 2, "good": 2}, self.verify(removes_unknown=True))
        self.assertEqual(200, self.file(top).status_int)

    def test_broken_delta_is_replaced_by_a_good_one_and_stays_a_delta(self) -> None:
        base, top = self.copied_chain()
        whole, delta, before = self.file(top).body, self.file(top, "?delta=true").body, self.show(top)
        for harmed in (top, base):
            self.damage(harmed, "fast")
        # The new copies are read too.
        self.assertEqual({"copies": 6, "good": 4, "damaged": 2, "repaired": 2}, self.verify(repairs=True))
        found = self.service.services.data.run(ListFindings(0, 10))
        self.assertEqual([(DAMAGED, REPAIRED)] * 2, [(each.kind, each.state) for each in found])
        self.assertEqual((whole, delta), (self.file(top).body, self.file(top, "?delta=true").body))
        after = self.show(top)
        for name in ("os_base_image", "size", "checksum", "os_hash_value", "stores", "virtual_size"):
            self.assertEqual(before[name], after[name], name)
        stored = self.driver("fast")._data[self.stored(top, "fast")]
        self.assertEqual(hashlib.sha512(delta).digest(), hashlib.sha512(stored).digest())
        self.assertEqual({"copies": 4, "good": 4}, self.verify())

    def test_only_delta_is_never_touched(self) -> None:
        _, top = self.chain()
        self.work()
        url = self.stored(top, "fast")
        self.damage(top, "fast")
        self.assertEqual({"copies": 2, "good": 1, "damaged": 1}, self.verify(repairs=True, removes_unknown=True))
        self.assertEqual(url, self.stored(top, "fast"))
