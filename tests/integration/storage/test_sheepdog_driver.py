"""The Sheepdog driver with a stand-in for the program dog: the contract, and a cluster that fails in every way."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fixtures import FakeLogger, TempDir
from oslo_config import cfg
from testtools import TestCase

from glance_mini_store import errors
from glance_mini_store.drivers.sheepdog import SheepdogDriver
from glance_mini_store.settings import resolve
from glance_mini_store.store import Store
from glance_mini_store.testing import DriverContract
from glance_mini_store.testing.content import pattern, pieces
from tests.integration.storage.memory import growth_of_transfers
from tests.integration.storage.sheepdog.stand_in import install

MIB = 1024 * 1024


class StandIn(TestCase):
    """Makes a driver and the directory of its stand-in cluster."""

    def new_driver(self, **values: Any) -> SheepdogDriver:
        self.root = Path(self.useFixture(TempDir()).path)
        program = install(self.root)
        conf = cfg.ConfigOpts()
        conf([])
        resolve(conf, "group", SheepdogDriver.options)
        for name, value in {"sheepdog_dog_path": str(program), "sheepdog_store_chunk_size": 1, **values}.items():
            conf.set_override(name, value, group="group")
        return SheepdogDriver.from_config(resolve(conf, "group", SheepdogDriver.options), "group")

    def stored(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob("disks/*/*"))

    def calls(self, action: str) -> list[str]:
        """Return the calls of one action, without the address of the node."""
        lines = (self.root / "calls").read_text().splitlines()
        return [line.replace(" -a 127.0.0.1 -p 7000", "") for line in lines if f" {action} " in line]

    def fault(self, text: str) -> None:
        (self.root / "fault").write_text(text)

    def well_again(self) -> None:
        (self.root / "fault").unlink()


class TestSheepdogContract(DriverContract, StandIn):
    def make_driver(self) -> SheepdogDriver:
        return self.new_driver()

    def leftovers(self) -> list[str]:
        return self.stored()


class TestMemory(StandIn):
    def test_transfer_holds_little_memory_whatever_its_size(self) -> None:
        driver = self.new_driver(sheepdog_store_chunk_size=64)
        # Of data of unknown size each few MiB take two runs of the stand-in, which takes time to start.
        self.assertLess(growth_of_transfers(driver, ("known", "unknown"), 64 * MIB), 16 * MIB)


class TestLocations(StandIn):
    def setUp(self) -> None:
        super().setUp()
        self.driver = self.new_driver()

    def test_location_names_node_and_disk(self) -> None:
        self.assertEqual("sheepdog://127.0.0.1:7000:name", self.driver.write("name", [b"data"]).location)

    def test_older_form_and_other_nodes_are_read(self) -> None:
        self.driver.write("name", [b"data"])
        for location in ("sheepdog://name", "sheepdog://192.0.2.1:7001:name", "sheepdog://[::1]:7000:name"):
            self.assertEqual(b"data", b"".join(self.driver.read(location)))
        self.assertIn("vdi read -a 192.0.2.1 -p 7001 name 0 4", (self.root / "calls").read_text())
        self.assertIn("vdi read -a ::1 -p 7000 name 0 4", (self.root / "calls").read_text())

    def test_ipv6_node_stands_in_brackets(self) -> None:
        driver = self.new_driver(sheepdog_store_address="::1")
        self.assertEqual("sheepdog://[::1]:7000:name", driver.write("name", [b"data"]).location)
        self.assertIn("vdi create -a ::1 -p 7000", (self.root / "calls").read_text())

    def test_words_that_dog_would_take_for_options_are_refused(self) -> None:
        for location in ("sheepdog://-r", "sheepdog://127.0.0.1:7000:-s", "sheepdog://-x:7000:name"):
            self.assertRaises(errors.BadStoreUri, self.driver.read, location)
            self.assertRaises(errors.BadStoreUri, self.driver.delete, location)

    def test_shell_sees_no_word(self) -> None:
        location = "sheepdog://$(touch${IFS}escaped);touch\tescaped"
        self.assertRaises(errors.BadStoreUri, self.driver.size, location)
        self.assertRaises(errors.NotFound, self.driver.size, "sheepdog://`touch${IFS}escaped`;exit")
        self.assertFalse(Path("escaped").exists())

    def test_draft_cannot_be_read(self) -> None:
        def source() -> Iterator[bytes]:
            yield b"half"
            (draft,) = [path.parent.name for path in self.root.glob("disks/*/current")]
            self.assertRaises(errors.BadStoreUri, self.driver.read, f"sheepdog://{draft}")
            self.assertRaises(errors.NotFound, self.driver.size, "sheepdog://name")

        self.driver.write("name", source())


class TestWriting(StandIn):
    def setUp(self) -> None:
        super().setUp()
        self.driver = self.new_driver()

    def test_known_size_is_written_in_pieces_of_the_chunk_size(self) -> None:
        data = pattern(2 * MIB + 5)
        location = self.driver.write("name", pieces(data), len(data)).location
        self.assertEqual(data, b"".join(self.driver.read(location)))
        writes = [call.split()[3:] for call in self.calls("write")]
        self.assertEqual([["0", str(MIB)], [str(MIB), str(MIB)], [str(2 * MIB), "5"]], writes)
        self.assertEqual([], self.calls("resize"))

    def test_unknown_size_grows_as_data_comes(self) -> None:
        data = pattern(2 * MIB + 7)
        chunks = [data[:3], data[3:10], data[10 : MIB + 10], data[MIB + 10 :]]
        self.driver.write("name", chunks)
        sizes = [int(call.split()[-1]) for call in self.calls("resize")]
        self.assertEqual([10, MIB + 10, len(data)], sizes)
        self.assertEqual(data, b"".join(self.driver.read("sheepdog://name")))

    def test_range_is_read_by_offset_and_length(self) -> None:
        location = self.driver.write("name", [b"0123456789"]).location
        self.assertEqual(b"345", b"".join(self.driver.read(location, 3, 3)))
        self.assertEqual(["vdi read name 3 3"], self.calls("read"))

    def test_fewer_bytes_than_announced_publish_nothing(self) -> None:
        for size in (5, 3):
            self.assertRaises(errors.SizeMismatch, self.driver.write, "name", [b"data"], 5)
            self.assertEqual([], self.stored(), size)

    def test_disks_of_others_stay(self) -> None:
        for disk in ("vm", ".name.txt", ".name-2.0123456789abcdef.part", ".name.0123456789abcdef.part"):
            (self.root / "disks" / disk).mkdir(parents=True)
            (self.root / "disks" / disk / "current").write_bytes(b"data")
        self.driver.discard("name")
        self.assertEqual(
            ["disks/.name-2.0123456789abcdef.part/current", "disks/.name.txt/current", "disks/vm/current"],
            self.stored(),
        )

    def test_names_with_spaces_are_understood(self) -> None:
        (self.root / "disks" / "a disk").mkdir(parents=True)
        (self.root / "disks" / "a disk" / "current").write_bytes(b"data")
        self.driver.write("name", [b"data"])
        self.assertEqual({"name"}, set(self.driver.names()))

    def test_writer_whose_draft_was_discarded_publishes_nothing(self) -> None:
        def source() -> Iterator[bytes]:
            yield b"data"
            self.driver.discard("name")

        self.assertRaises(errors.StorageWriteDenied, self.driver.write, "name", source())
        self.assertEqual([], self.stored())

    def test_disk_with_snapshots_is_not_deleted(self) -> None:
        location = self.driver.write("name", [b"data"]).location
        (self.root / "disks" / "name" / "snapshot-mine").write_bytes(b"data")
        self.assertRaises(errors.HasSnapshot, self.driver.delete, location)
        self.assertEqual(4, self.driver.size(location))


class TestFaults(StandIn):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(FakeLogger())
        self.driver = self.new_driver(sheepdog_timeout=0.5)
        self.driver._cluster._seconds = 30.0
        self.location = self.driver.write("kept", [pattern(MIB)]).location

    def impatient(self) -> None:
        self.driver._cluster._seconds = 0.5

    def assert_nothing_left(self) -> None:
        self.assertEqual(["disks/kept/current"], self.stored())

    def test_program_that_hangs_is_given_up_and_killed(self) -> None:
        self.impatient()
        for action in ("list", "read", "delete"):
            self.fault(f"{action} hang")
            call = {"list": self.driver.size, "read": self.driver.read, "delete": self.driver.delete}[action]
            error = self.assertRaises(errors.RemoteServiceUnavailable, lambda: list(call(self.location)))  # noqa: B023
            self.assertIn("no progress", str(error))
            self.assertEqual(0, children_of(os.getpid()))

    def test_write_that_hangs_leaves_nothing(self) -> None:
        for action in ("create", "write", "writing", "snapshot", "clone"):
            self.fault(f"{action} hang")
            self.impatient()
            error = self.assertRaises(
                errors.RemoteServiceUnavailable, self.driver.write, "name", pieces(pattern(3 * MIB)), 3 * MIB
            )
            self.assertIn("no progress", str(error))
            self.well_again()
            self.driver._cluster._seconds = 30.0
            self.driver.discard("name")
            self.assert_nothing_left()

    def test_failing_cluster_is_unavailable_and_nothing_is_left(self) -> None:
        for action in ("create", "write", "writing", "snapshot", "clone"):
            self.fault(f"{action} fail")
            error = self.assertRaises(
                errors.RemoteServiceUnavailable, self.driver.write, "name", pieces(pattern(3 * MIB)), None
            )
            self.assertIn("code 2", str(error))
            self.assert_nothing_left()

    def test_draft_that_could_not_be_deleted_marks_the_error_of_the_source(self) -> None:
        failure = ValueError("client gone")

        def source() -> Iterator[bytes]:
            yield pattern(MIB)
            self.fault("delete fail")
            raise failure

        self.assertRaises(ValueError, self.driver.write, "name", source(), None)
        self.assertTrue(errors.has_leftovers(failure))
        self.well_again()
        self.driver.discard("name")
        self.assert_nothing_left()

    def test_full_cluster_says_so_and_nothing_is_left(self) -> None:
        for action in ("create", "write", "writing", "clone"):
            self.fault(f"{action} full")
            self.assertRaises(errors.StorageFull, self.driver.write, "name", pieces(pattern(3 * MIB)), 3 * MIB)
            self.assert_nothing_left()

    def test_size_that_no_disk_can_have_is_storage_full(self) -> None:
        self.assertRaises(errors.StorageFull, self.driver.write, "name", [b"data"], 2**60)
        self.assert_nothing_left()

    def test_read_that_breaks_off_is_an_error(self) -> None:
        for kind in ("break", "fail"):
            self.fault(f"reading {kind}")
            self.assertRaises(errors.RemoteServiceUnavailable, lambda: list(self.driver.read(self.location)))

    def test_listing_is_tried_again_after_a_failure_of_the_cluster(self) -> None:
        self.fault("list once")
        self.assertEqual(MIB, self.driver.size(self.location))

    def test_delete_that_only_claims_success_is_found_out(self) -> None:
        self.fault("delete lie")
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver.delete, self.location)

    def test_draft_that_stays_after_publication_is_logged(self) -> None:
        self.fault("delete lie")
        self.assertEqual(4, self.driver.write("name", [b"data"]).size)
        self.assertIn("could not be removed", self.log.output)
        self.well_again()
        self.driver.discard("name")
        self.assert_nothing_left()

    def test_missing_program_stops_the_start(self) -> None:
        driver = self.new_driver(sheepdog_dog_path="/nonexistent/dog")
        error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
        self.assertIn("sheepdog_dog_path", str(error))

    def test_unreachable_cluster_fails_check_and_probe(self) -> None:
        self.fault("list fail")
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver.check)
        self.assertRaises(errors.RemoteServiceUnavailable, self.driver.probe)

    def test_closed_reader_leaves_no_program(self) -> None:
        reader = Store(self.driver).read(self.location)
        next(reader)
        reader.close()  # type: ignore[attr-defined]
        self.assertEqual(0, children_of(os.getpid()))

    def test_slow_write_does_not_hold_up_another(self) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def slow() -> Iterator[bytes]:
            yield b"first"
            entered.set()
            go_on.wait(60)

        writer = threading.Thread(target=self.driver.write, args=("slow", slow()))
        writer.start()
        entered.wait(60)
        self.driver.write("fast", [b"data"])
        go_on.set()
        writer.join(60)
        self.assertEqual({"kept", "slow", "fast"}, set(self.driver.names()))


def children_of(pid: int) -> int:
    """Return how many child processes run the stand-in."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    found = 0
    for child in path.read_text().split():
        try:
            found += b"dog.py" in Path(f"/proc/{child}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
    return found
