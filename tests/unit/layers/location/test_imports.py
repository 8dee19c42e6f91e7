"""What is checked before an import begins, and the job that it becomes."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import fixtures
import testtools

from glance_mini.content.signatures import PROPERTIES
from glance_mini.db.interface import DataAccess
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Invalid, StatusConflict
from glance_mini.domain.image import Image, Location
from glance_mini.domain.imports import METHOD_RULES, ImportBegun, ImportRequest, MethodRule
from glance_mini.domain.job import Job
from glance_mini.domain.quota import Limits
from glance_mini.domain.staging import STAGING_STORE
from glance_mini.layers.location.imports import ImportRules
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.operations.imports import ImportImage
from glance_mini.operations.records import BeginImport
from glance_mini.operations.tasks import CreateTask
from glance_mini.testing.samples import IMAGE_ID, make_context, make_image, make_job
from glance_mini_store.drivers.file.driver import FileDriver
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores
from tests.unit.layers.location.case import raising
from tests.unit.layers.location.stores import FailingDriver, ReadOnlyDriver, one_store
from tests.unit.layers.support import stand

CALLER = make_context(user_id="u7", project_id="p7", request_id="req-7", auth_token="tOkEn")
SOURCE = "http://images.example.org/x"
ENDPOINT = "http://images.example.net"
DIRECT = {"name": "glance-direct"}
WEB = {"name": "web-download", "uri": SOURCE}
COPY = {"name": "copy-image"}
OTHER = {
    "name": "glance-download",
    "glance_region": "R2",
    "glance_image_id": "11111111-2222-3333-4444-555555555555",
    "endpoint": ENDPOINT,
}
UPLOADING = make_image(status="uploading", locations=())
QUEUED = make_image(status="queued", locations=(), size=None)
ACTIVE = make_image(locations=(Location("memory://a/x", {"store": "a"}),))


def several() -> Stores:
    """Return the stores a, b and c, one that only reads, and the staging area."""
    stores = [Store(FailingDriver(name), name, is_default=name == "a") for name in "abc"]
    web = Store(ReadOnlyDriver("web"), "web")
    return Stores([*stores, web, Store(FailingDriver("s"), "os_glance_staging_store", reserved=True)])


def begin_import(context: Context, op: BeginImport) -> ImportBegun:
    """Answer as the database does, which binds the job to the node with the data."""
    return ImportBegun(make_image(status=op.status), added(op.job))


def added(job: Job) -> Job:
    return replace(job, node_url="http://node1")


class ImportCase(testtools.TestCase):
    methods: ClassVar = METHOD_RULES
    has_plugins = False

    def setUp(self) -> None:
        super().setUp()
        self.stores = several()
        self.checked: list[str] = []
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def stand(self, **answers_with: Any) -> Any:
        rules = ImportRules(
            check_uri=self.checked.append,
            priorities={"api_image_import": 5, "import": 7},
            wake_workers=self.wake,
            methods=self.methods,
            has_plugins=self.has_plugins,
        )
        layer = LocationLayer(self.stores, LeaseKeeper(cast(DataAccess, None), 60), Metrics(), rules=rules)
        stack, self.recorder = stand(layer, **answers_with)
        return stack

    def begin(self, method: dict[str, str], image: Image, header: str | None = None, **request: Any) -> Any:
        """Return the operation that begins the import, None where there is none."""
        op = ImportImage(
            IMAGE_ID,
            image,
            ImportRequest(method, body={"method": method}, **request),
            header,
            Limits({"image_count_uploading": 3}),
        )
        job = self.stand(begin_import=begin_import).call(CALLER, op)
        begun = self.recorder.seen[0] if self.recorder.seen else None
        # The job that comes back is the one that the database has added.
        self.assertEqual(job, begun and added(begun.job))
        return begun

    def fails(self, error: type[Exception], *arguments: Any, **values: Any) -> str:
        text = str(self.assertRaises(error, self.begin, *arguments, **values))
        self.assertEqual(([], 0), (self.recorder.names, self.woken))
        return text


class TestJobs(ImportCase):
    def test_an_import_becomes_a_job_that_holds_the_image(self) -> None:
        begun = self.begin(DIRECT, UPLOADING, stores=("b", "a"))
        job = begun.job
        self.assertEqual(("uploading", "importing"), (begun.expect, begun.status))
        self.assertEqual(
            {
                "os_glance_import_task": job.id,
                "os_glance_importing_to_stores": "a,b",
                "os_glance_failed_import": "",
            },
            begun.properties,
        )
        self.assertEqual(Limits({"image_count_uploading": 3}), begun.limits)
        self.assertEqual(("api_image_import", "pending", IMAGE_ID), (job.kind, job.state, job.image_id))
        self.assertEqual(("p7", "u7", "req-7", CALLER.roles), (job.project_id, job.user_id, job.request_id, job.roles))
        self.assertEqual({"image_id": IMAGE_ID, "import_req": {"method": DIRECT}, "backend": ["b", "a"]}, job.input)
        self.assertEqual(1, self.woken)

    def test_a_copy_leaves_the_image_active(self) -> None:
        begun = self.begin(COPY, ACTIVE, stores=("b",))
        self.assertEqual(("active", "active"), (begun.expect, begun.status))

    def test_a_job_for_one_store_says_so(self) -> None:
        self.assertEqual(("b",), self.begin(WEB, QUEUED, stores=("b",)).job.stores)
        self.assertEqual(("a", "b"), self.begin(WEB, QUEUED, stores=("a", "b")).job.stores)

    def test_staged_data_comes_first_and_copies_last(self) -> None:
        priorities = [
            self.begin(method, image, stores=("b",)).job.priority
            for method, image in ((DIRECT, UPLOADING), (WEB, QUEUED), (COPY, ACTIVE))
        ]
        self.assertEqual([6, 5, 4], priorities)

    def test_only_an_import_from_another_service_keeps_the_token(self) -> None:
        job = self.begin(OTHER, QUEUED).job
        self.assertEqual(("tOkEn", ENDPOINT), (job.token, job.input["endpoint"]))
        for method, image in ((DIRECT, UPLOADING), (WEB, QUEUED)):
            self.assertIsNone(self.begin(method, image).job.token)

    def test_the_import_of_a_signed_image_keeps_the_token_for_the_key_manager(self) -> None:
        names = dict.fromkeys(PROPERTIES, "x")
        for method, image in ((DIRECT, UPLOADING), (WEB, QUEUED)):
            self.assertEqual("tOkEn", self.begin(method, replace(image, properties=names)).job.token)
            for name in PROPERTIES:
                lacking = {other: "x" for other in PROPERTIES if other != name}
                self.assertIsNone(self.begin(method, replace(image, properties=lacking)).job.token)
        self.assertIsNone(self.begin(COPY, replace(ACTIVE, properties=names), stores=("b",)).job.token)

    def test_nobody_is_woken_for_an_import_that_did_not_begin(self) -> None:
        stack = self.stand(begin_import=raising(Conflict(reason="locked")))
        op = ImportImage(IMAGE_ID, UPLOADING, ImportRequest(DIRECT))
        self.assertRaises(Conflict, stack.call, CALLER, op)
        self.assertEqual(0, self.woken)


class TestQuickJobs(ImportCase):
    """Copies within one file system."""

    def setUp(self) -> None:
        super().setUp()
        folder = self.useFixture(fixtures.TempDir())
        for name in ("a", "b", "staging"):
            Path(folder.join(name)).mkdir()
        disks = [Store(FileDriver(folder.join(name)), name, is_default=name == "a") for name in "ab"]
        staging = Store(FileDriver(folder.join("staging")), STAGING_STORE, reserved=True)
        self.stores = Stores([*disks, Store(FailingDriver("far"), "far"), staging])
        self.active = make_image(locations=(Location(f"file://{folder.join('a')}/x", {"store": "a"}),))

    def kind(self, method: dict[str, str], image: Image, *stores: str) -> str:
        return str(self.begin(method, image, stores=stores).job.kind)

    def test_data_that_stays_on_its_file_system_makes_a_quick_job(self) -> None:
        self.assertEqual("local_image_import", self.kind(DIRECT, UPLOADING, "a", "b"))
        self.assertEqual("local_image_import", self.kind(COPY, self.active, "b"))
        self.assertEqual("api_image_import", self.begin(DIRECT, UPLOADING).job.task_type)

    def test_any_other_source_or_store_makes_a_slow_one(self) -> None:
        far = make_image(locations=(Location("memory://far/x", {"store": "far"}),))
        for method, image, stores in (
            (WEB, QUEUED, ("a",)),
            (OTHER, QUEUED, ("a",)),
            (DIRECT, UPLOADING, ("a", "far")),
            (COPY, self.active, ("far",)),
            (COPY, far, ("a",)),
            (DIRECT, replace(UPLOADING, properties=dict.fromkeys(PROPERTIES, "x")), ("a",)),
        ):
            self.assertEqual("api_image_import", self.kind(method, image, *stores))

    def test_plugins_make_it_a_slow_one(self) -> None:
        self.has_plugins = True
        self.assertEqual("api_image_import", self.kind(DIRECT, UPLOADING, "a"))
        self.assertEqual("local_image_import", self.kind(COPY, self.active, "b"))


class TestChecks(ImportCase):
    def test_each_method_wants_its_status(self) -> None:
        for method, right in ((DIRECT, "uploading"), (WEB, "queued"), (COPY, "active"), (OTHER, "queued")):
            for status in ("queued", "saving", "uploading", "importing", "active", "deactivated"):
                if status != right:
                    self.fails(StatusConflict, method, make_image(status=status))

    def test_formats_are_missed_after_the_status_and_before_the_source(self) -> None:
        bare = {"disk_format": None, "locations": ()}
        self.fails(StatusConflict, OTHER, make_image(status="active", **bare))
        text = self.fails(Conflict, {**OTHER, "glance_image_id": "x"}, make_image(status="queued", **bare))
        self.assertIn("disk_format", text)

    def test_another_service_is_named_by_region_and_id(self) -> None:
        self.assertIn("glance_region", self.fails(Invalid, {**OTHER, "glance_region": ""}, QUEUED))
        text = self.fails(Invalid, {**OTHER, "glance_image_id": "x"}, QUEUED)
        self.assertIn("image id does not look like a UUID", text)

    def test_addresses_are_checked_last(self) -> None:
        self.begin(WEB, QUEUED)
        self.begin(OTHER, QUEUED)
        self.assertEqual([SOURCE, ENDPOINT], self.checked)
        self.woken = 0
        self.fails(Conflict, WEB, QUEUED, stores=("nonesuch",))
        self.fails(Invalid, {"name": "web-download"}, QUEUED)
        self.assertEqual([SOURCE, ENDPOINT], self.checked)

    def test_an_address_that_is_refused_begins_nothing(self) -> None:
        layer = LocationLayer(self.stores, LeaseKeeper(cast(DataAccess, None), 60), Metrics())
        stack, recorder = stand(layer)
        self.assertRaises(Invalid, stack.call, CALLER, ImportImage(IMAGE_ID, QUEUED, ImportRequest(WEB)))
        self.assertEqual([], recorder.names)

    def test_stores_are_chosen_in_one_way(self) -> None:
        table: list[tuple[dict[str, Any], list[str]]] = [
            ({}, ["a"]),
            ({"header": "b"}, ["b"]),
            ({"stores": ("c", "b", "c")}, ["c", "b"]),
            ({"stores": ("b",), "header": "b"}, ["b"]),
            ({"all_stores": True}, ["a", "b", "c"]),
        ]
        for values, stores in table:
            self.assertEqual(stores, self.begin(WEB, QUEUED, **values).job.input["backend"])
        self.woken = 0
        refused: list[tuple[dict[str, Any], type[Exception]]] = [
            ({"stores": ("b", "c"), "header": "b"}, Invalid),
            ({"stores": ("b",), "header": "c"}, Invalid),
            ({"all_stores": True, "stores": ("a",)}, Invalid),
            ({"all_stores": True, "header": "a"}, Invalid),
            ({"stores": ("a", "nonesuch")}, Conflict),
            ({"header": "nonesuch"}, Conflict),
            ({"stores": ("os_glance_staging_store",)}, Conflict),
            ({"stores": ("web",)}, Conflict),
        ]
        for values, error in refused:
            self.fails(error, WEB, QUEUED, **values)

    def test_a_copy_goes_where_the_data_is_not(self) -> None:
        self.assertEqual(["b", "c"], self.begin(COPY, ACTIVE, all_stores=True).job.input["backend"])
        self.woken = 0
        self.assertIn("store a", self.fails(Invalid, COPY, ACTIVE, stores=("b", "a")))
        self.fails(Invalid, COPY, ACTIVE)
        everywhere = make_image(locations=tuple(Location(f"memory://{name}/x", {"store": name}) for name in "abc"))
        self.assertIsNone(self.begin(COPY, everywhere, all_stores=True))
        self.assertEqual(0, self.woken)

    def test_the_one_store_there_is_cannot_be_left_out(self) -> None:
        self.stores = one_store(FailingDriver())
        self.fails(Invalid, WEB, QUEUED, all_stores_must_succeed=False)
        self.assertEqual(["default"], self.begin(WEB, QUEUED).job.input["backend"])
        self.woken = 0
        self.fails(Invalid, COPY, make_image(locations=(Location("memory://default/x"),)))


class TestTasks(ImportCase):
    def test_a_task_wants_a_web_address_and_formats(self) -> None:
        stack = self.stand(create_task=make_job())
        right = {"import_from": SOURCE, "import_from_format": "raw", "image_properties": {"name": "x"}}
        stack.call(CALLER, CreateTask("import", right))
        self.assertEqual((["create_task"], [SOURCE], 1), (self.recorder.names, self.checked, self.woken))
        wrong: tuple[dict[str, object], ...] = (
            {"import_from": None},
            {"import_from": 5},
            {"import_from": "file:///etc/passwd"},
            {"import_from_format": 5},
            {"import_from_format": None},
            {"image_properties": []},
            {"image_properties": {"id": IMAGE_ID}},
            {"image_properties": {"disk_format": None}},
            {"image_properties": {"container_format": None}},
        )
        for values in ({}, *(right | each for each in wrong)):
            self.assertRaises(Invalid, stack.call, CALLER, CreateTask("import", values))
        self.assertEqual(["create_task"], self.recorder.names)

    def test_the_job_of_a_task_gets_priority_and_store_and_a_token_where_its_image_is_signed(self) -> None:
        signed = dict.fromkeys(PROPERTIES, "x")
        for properties, token in (({}, None), (signed, "tOkEn")):
            stack = self.stand(create_task=make_job())
            values = {"import_from": SOURCE, "image_properties": {"disk_format": "raw", **properties}}
            stack.call(CALLER, CreateTask("import", values))
            (op,) = self.recorder.seen
            self.assertEqual((("a",), 7, token), (op.stores, op.priority, op.token))
            self.assertEqual(values, op.input)

    def test_a_worker_that_has_made_an_image_imports_into_it_as_the_same_job(self) -> None:
        held = make_job(kind="import", process="worker", image_id=None, input={"import_from": SOURCE})
        op = ImportImage(IMAGE_ID, QUEUED, ImportRequest(WEB, stores=("b",)), job=held)
        job = self.stand(begin_import=begin_import).call(CALLER, op)
        (begun,) = self.recorder.seen
        self.assertEqual(replace(held, image_id=IMAGE_ID), begun.job)
        self.assertEqual(added(begun.job), job)
        self.assertEqual((held.id, "b"), tuple(begun.properties[name] for name in list(begun.properties)[:2]))
        # The worker asks about the address itself, and needs no waking.
        self.assertEqual(([], 0), (self.checked, self.woken))


class TestFurtherMethods(ImportCase):
    methods = {"by-post": MethodRule("uploading", ("sender",)), "by-hand": MethodRule()}

    def test_a_method_of_another_package_has_rules_like_others(self) -> None:
        self.assertEqual("importing", self.begin({"name": "by-post", "sender": "me"}, UPLOADING).status)
        self.assertEqual("queued", self.begin({"name": "by-hand"}, QUEUED).expect)
        self.woken = 0
        self.fails(StatusConflict, {"name": "by-post", "sender": "me"}, QUEUED)
        self.fails(StatusConflict, {"name": "by-hand"}, UPLOADING)
        self.assertIn("sender", self.fails(Invalid, {"name": "by-post"}, UPLOADING))
        self.fails(Invalid, {"name": "by-magic"}, QUEUED)
