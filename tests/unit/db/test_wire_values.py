"""Calls of the data access layer, their results and their errors are plain values: they may cross a network."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from string import Formatter
from typing import Any

import testtools

from glance_mini.db.wire import ERRORS, result_type
from glance_mini.domain import errors
from glance_mini.domain.acting import of_caller
from glance_mini.domain.bases import NewLink
from glance_mini.domain.blocks import KnownHashes
from glance_mini.domain.cache import CachedSize, CacheRecord
from glance_mini.domain.cause import Cause
from glance_mini.domain.changes import LocationChange, PropertyChange, TagChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.event import Event
from glance_mini.domain.event_log import Audience, LoggedEvent
from glance_mini.domain.identity import IssuedToken
from glance_mini.domain.image import Location
from glance_mini.domain.imports import ImportBegun
from glance_mini.domain.job import JobLimits, JobPage, JobQuery
from glance_mini.domain.links import Link
from glance_mini.domain.member import Member
from glance_mini.domain.metadefs import (
    Association,
    MetadefLimits,
    Namespace,
    NamespaceContent,
    NamespacePage,
    NamespaceQuery,
    ObjectDefinition,
    ObjectPage,
    PartQuery,
    PropertyDefinition,
    PropertyPage,
    ResourceType,
    TagDefinition,
    TagPage,
    TagsWritten,
)
from glance_mini.domain.migration import BuriedId, ImageRecord, TakenOver
from glance_mini.domain.query import ImageQuery, Page, RangeFilter, Scope, TimeFilter
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, IMAGE_SIZE_TOTAL, Limits
from glance_mini.domain.staging import StagedData
from glance_mini.domain.transfer import DataRemoval, DeletedImage, StoredData, Transfer, remains_of
from glance_mini.domain.upload_session import SessionLimits, UploadSession
from glance_mini.domain.verification import Finding, StoredCopy, Verification
from glance_mini.operations import DATA_CALLS
from glance_mini.operations.base import DataCall
from glance_mini.operations.bases import (
    GetDiskIndex,
    ListDependents,
    LoadChain,
    RecordDiskHashes,
    ReplaceData,
    SaveDiskIndex,
)
from glance_mini.operations.blocks import BeginBlockHashes, GetBlockHashes, SaveBlockHashes
from glance_mini.operations.cache import (
    FindCachedNodes,
    ForgetCached,
    ListCacheRecords,
    ListCachingQueue,
    ListInactiveImages,
    ListPopularImages,
    QueueCaching,
    RecordCached,
    RecordCacheHits,
    UnqueueCaching,
)
from glance_mini.operations.event_log import ReadEvents, ReadLastEvents, RemoveEvents
from glance_mini.operations.identity import FindToken, IssueToken, PurgeTokens, RevokeToken
from glance_mini.operations.images import CreateImage, ListImages, RestoreImage, UpdateImage
from glance_mini.operations.jobs import (
    AddJob,
    CancelJob,
    ClaimJob,
    FinishJob,
    GetJob,
    MeasureQueue,
    PurgeJobs,
    ReleaseJob,
    RenewJobs,
    RetryJob,
    SaveCheckpoint,
)
from glance_mini.operations.links import AddLink, DeleteLink, FindLink, GetLink, ListLinks, PurgeLinks
from glance_mini.operations.members import AddMember, DeleteMember, GetMember, ListMembers, UpdateMember
from glance_mini.operations.metadef_loading import RemoveNamespaces, WriteNamespaces
from glance_mini.operations.metadef_parts import (
    AddObject,
    AddProperty,
    AddTag,
    AddTags,
    DeleteObject,
    DeleteObjects,
    DeleteProperties,
    DeleteTag,
    DeleteTags,
    GetObject,
    GetObjects,
    GetProperties,
    GetProperty,
    GetTag,
    GetTags,
    ModifyObject,
    ModifyProperty,
    ModifyTag,
    RemoveProperty,
)
from glance_mini.operations.metadefs import (
    AddAssociation,
    AddNamespace,
    DeleteNamespace,
    GetNamespace,
    GetNamespaces,
    ListAssociations,
    ListResourceTypes,
    LoadNamespace,
    ModifyNamespace,
    RemoveAssociation,
)
from glance_mini.operations.migration import (
    BuryImages,
    ListBuried,
    ListRecords,
    TakeOverImages,
    TakeOverJobs,
    TakeOverNamespaces,
)
from glance_mini.operations.once import PurgeKeys
from glance_mini.operations.outbox import AddEvents, CountEvents, FinishEvents, ReleaseEvents, TakeEvents
from glance_mini.operations.records import (
    AbortTransfer,
    BeginImport,
    BeginTransfer,
    CountUsage,
    DeleteFromTrash,
    DiscardStaged,
    EndImport,
    FinishRemoval,
    ForgetStaged,
    GetProjectLimits,
    GetStaged,
    HoldRemoval,
    IsYoungestTransfer,
    LeaveRemains,
    ListDataNames,
    ListProjects,
    ListRemovals,
    ListTrash,
    LoadImage,
    MarkDeleted,
    MoveToTrash,
    Ping,
    PurgeImages,
    RecordData,
    RecordImport,
    RecordStaged,
    RenewLeases,
    ReserveSpace,
    SetProjectLimits,
    SetStatus,
    TakeDueRemovals,
    TakeExpiredTransfers,
    UndoDeletion,
)
from glance_mini.operations.tasks import ListTasks
from glance_mini.operations.upload_sessions import (
    AddUploadSession,
    DeleteUploadSession,
    GetUploadSession,
    ListUploadSessions,
    PurgeUploadSessions,
    SaveUpload,
    TakeUnfinishedUploads,
)
from glance_mini.operations.verification import (
    BeginVerification,
    CountCopies,
    EndVerification,
    FindData,
    ListCopies,
    ListFindings,
    ListVerifications,
    RecordFindings,
    ReplaceLocation,
)
from glance_mini.testing.samples import IMAGE_ID, TIME, make_image, make_job
from tests.unit.db.wire import send, send_error

LATER = TIME + timedelta(hours=1, microseconds=123456)
LEASE = timedelta(seconds=60, milliseconds=500)
KEEP = timedelta(days=2)
TOGETHER = {IMAGE_SIZE_TOTAL: ("image_size_deleted", "image_stage_total")}
LIMITS = Limits(
    {IMAGE_SIZE_TOTAL: 2**45, IMAGE_COUNT_TOTAL: 0},
    properties=10,
    tags=5,
    members=4,
    locations=3,
    required=("os_distro",),
    together=TOGETHER,
)

LOCATION = Location("file:///images/ü", {"store": "fast", "nested": {"deep": [1, None, True]}}, "active", 7)
IMAGE = make_image(
    name="Bild ü",
    visibility="public",
    protected=True,
    os_hidden=True,
    min_ram=512,
    min_disk=10,
    size=2**40,
    virtual_size=2**41,
    checksum="c" * 32,
    os_hash_algo="sha512",
    os_hash_value="d" * 128,
    tags=("a", "b"),
    properties={"os_type": "linux", "": "", "long": "x" * 300},
    locations=(LOCATION, Location("memory://x")),
    version=3,
    updated_at=LATER,
)
DELETED = replace(IMAGE, status="deleted", deleted_at=LATER)
QUEUED = make_image(status="queued", name=None, owner=None, size=None, locations=())
MEMBER = Member(IMAGE_ID, "p2", "accepted", TIME, LATER, LATER)
JOB = make_job(
    roles=("member", "reader"),
    is_admin=True,
    service_roles=("service",),
    user_domain_id="d0",
    project_domain_id="d0",
    domain_id="d1",
    system_scope="all",
    input={"import_req": {"method": {"name": "web-download"}}, "hash": None, "count": 3},
    state="processing",
    priority=-3,
    stores=("fast", "cheap"),
    node_url="http://node1:9292",
    checkpoint={"_failures": 2, "failed": {"stores": ["cheap"]}},
    result={"image_id": IMAGE_ID},
    message="Copied 50 %",
    attempts=2,
    process="host:1:ab",
    lease_until=LATER,
    is_cancelled=True,
    expires_at=LATER,
    token="a token",
)
ACTING = of_caller(
    Context(
        user_id="u1",
        project_id="p1",
        roles=("member",),
        service_roles=("service",),
        user_domain_id="d0",
        project_domain_id="d0",
        domain_id="d1",
        system_scope="all",
    )
)
SESSION = UploadSession(
    *("s", IMAGE_ID, 2**40, "joined", 2**40, "fast", "name eA==", ("a", "b"), "http://node", TIME, LATER, LATER),
    *(True, True),
    **ACTING,
)
LINK = Link("l", IMAGE_ID, TIME, LATER, 2**40, "fast", **ACTING)
TOKEN = IssuedToken("t", "u1", "c" * 64, ("token", "password"), "p1", "default", TIME, LATER)
NEW_JOB = make_job(created_at=None, updated_at=None, due_at=None)
TRANSFER = Transfer("t1", IMAGE_ID, "p1", "host:1:ab", "fast", f"{IMAGE_ID}-t1", 2**40, TIME, LATER, "http://node1")
DATA = StoredData(LOCATION, 700, 1400, "c" * 32, "sha512", "d" * 128, "raw", "bare")
STAGED = StagedData(IMAGE_ID, "os_glance_staging_store", "file:///staging/x", 700, "http://node1", TIME)
DELETION = DataRemoval(3, IMAGE_ID, "file:///x", {"store": "fast"}, "http://node1", LATER)
CALLER = Cause("upload_data", "u1", "p1", ("member", "reader"), "req-1", "fast")
SOME = Audience(projects=("a", "b"), members_of=IMAGE_ID)
LOGGED = LoggedEvent("image.update", {"id": IMAGE_ID, "size": None}, SOME, Audience(everyone=True), id=9)
EVENT = Event("image.send", {"bytes_sent": 2**40, "tags": ["a"]}, "error", CALLER.caller(), IMAGE_ID, LATER, 9)
SCOPE = Scope("p1", is_admin=True)
QUERY = ImageQuery(
    one_of={"status": ("active", "queued"), "min_ram": (0, 512), "protected": (True,), "name": (None,)},
    properties={"os_type": "linux"},
    tags=("a",),
    times=(TimeFilter("created_at", "neq", TIME, LATER),),
    ranges=(RangeFilter("size", 1, 2**40),),
    visibility="all",
    member_status="pending",
    os_hidden=True,
    sort=(("name", "asc"), ("id", "desc")),
    marker=IMAGE_ID,
    limit=7,
    max_bytes=2**20,
    name_part="part",
)
FINDING = Finding("s", "x", "missing", "repaired", "ü", IMAGE_ID, "x", 2**40, TIME, 7)
CHANGES = (
    PropertyChange("replace", "tags", ["a", "b"]),
    PropertyChange("add", "protected", True),
    PropertyChange("remove", "os_type"),
    PropertyChange("move", "new_name", source="old_name"),
    TagChange("add", "c"),
    LocationChange("add", 1, (LOCATION,), 700, {"os_hash_algo": "sha512"}),
    LocationChange("remove", 0),
)
PROGRESS = {"os_glance_import_task": JOB.id, "os_glance_failed_import": ""}
BASE: Mapping[str, object] = {"name": None, "tags": ["a", "b"], "min_ram": 512, "protected": True, "owner": "p1"}

NAMESPACE = Namespace("n", "N ü", "about", "public", True, "p1", TIME, LATER, LATER, 7)
TYPE = Association("OS::Glance::Image", "acme_", "image", TIME, LATER, LATER)
DEFINED = PropertyDefinition("p", {"type": "array", "items": {"enum": [1, None]}, "default": []}, TIME, LATER, LATER)
OBJECT = ObjectDefinition("o", "ü", ("p",), {"p": {"title": "P", "minimum": 1.5}}, TIME, LATER, LATER)
WORD = TagDefinition("t", TIME, LATER, LATER)
CONTENT = NamespaceContent(NAMESPACE, (TYPE,), (DEFINED,), (OBJECT,), (WORD,))
BOUNDS = MetadefLimits(1, 2, 3, 4, 5, 6, 7, 8)
RECORD = ImageRecord(DELETED, (MEMBER,), LATER)
PARTS = PartQuery("created_at", "desc", "p", 7)

SAMPLES: list[tuple[DataCall[Any], Any]] = [
    (ListImages(QUERY, SCOPE), Page((IMAGE, QUEUED), IMAGE_ID)),
    (ListImages(ImageQuery()), Page(())),
    (CreateImage(IMAGE_ID, BASE, {"os_type": "linux"}, LIMITS, (LOCATION,)), QUEUED),
    (CreateImage(), QUEUED),
    (UpdateImage(IMAGE_ID, IMAGE, CHANGES, LIMITS), IMAGE),
    (UpdateImage(IMAGE_ID), IMAGE),
    (RestoreImage(IMAGE_ID, IMAGE, LIMITS), IMAGE),
    (ListMembers(IMAGE_ID, IMAGE, "p2"), (MEMBER,)),
    (GetMember(IMAGE_ID, IMAGE, "p2"), MEMBER),
    (AddMember(IMAGE_ID, IMAGE, "p2", 5), MEMBER),
    (UpdateMember(IMAGE_ID, IMAGE, "p2", "rejected"), MEMBER),
    (DeleteMember(IMAGE_ID, IMAGE, "p2"), MEMBER),
    (AddLink(IMAGE_ID, IMAGE, "a" * 64, LEASE, LINK, 5), LINK),
    (ListLinks(IMAGE_ID, IMAGE, ("u1", None)), (LINK, Link("x", IMAGE_ID))),
    (DeleteLink(IMAGE_ID, IMAGE, "l", (None, "p1")), None),
    (GetLink(IMAGE_ID, "l"), LINK),
    (FindLink("a" * 64), LINK),
    (
        AddUploadSession(
            *(IMAGE_ID, IMAGE, 7, "fast", "name eA==", True, ("a", "b")),
            *(SESSION, LEASE, LEASE, Limits({IMAGE_SIZE_TOTAL: 9}), SessionLimits(1, 2, 3)),
        ),
        SESSION,
    ),
    (ListUploadSessions(IMAGE_ID, IMAGE), (SESSION, UploadSession("x", IMAGE_ID, 0))),
    (GetUploadSession(IMAGE_ID, IMAGE, "s"), SESSION),
    (DeleteUploadSession(IMAGE_ID, IMAGE, "s"), SESSION),
    (SaveUpload(IMAGE_ID, "s", 1, 2**40, LEASE, LEASE), SESSION),
    (TakeUnfinishedUploads(LEASE), (SESSION,)),
    (PurgeUploadSessions(10), 3),
    (PurgeLinks(10), 3),
    (IssueToken(TOKEN, "a" * 64, LEASE, 5, LATER), TOKEN),
    (FindToken("a" * 64), TOKEN),
    (RevokeToken("a" * 64), None),
    (PurgeTokens(10), 3),
    (BeginVerification(NEW_JOB, KEEP), JOB),
    (BeginVerification(NEW_JOB), None),
    (EndVerification(JOB, {"copies": 2**40}, ("file", "s3")), None),
    (ListVerifications(10), (Verification(JOB.id, TIME, LATER, {"copies": 2}), Verification("x", TIME))),
    (ListCopies(2**40, 10), (StoredCopy(IMAGE_ID, LOCATION, 7, "c", "sha512", "d"),)),
    (CountCopies(), 2**40),
    (FindData(frozenset({IMAGE_ID}), frozenset({"file:///x"})), {"": frozenset({"file:///x"}), IMAGE_ID: frozenset()}),
    (RecordFindings((FINDING, Finding("s", "x", "unknown")), 10), 2),
    (ListFindings(2**40, 10), (FINDING,)),
    (ReplaceLocation(JOB, IMAGE_ID, LOCATION, LOCATION), IMAGE),
    (
        ListTasks(JobQuery(("import",), "failure", IMAGE_ID, "p1", "due_at", "asc", JOB.id, 3, 99)),
        JobPage((JOB, NEW_JOB), JOB.id),
    ),
    (LoadImage(IMAGE_ID, SCOPE, "get_image", True), IMAGE),
    (SetStatus(IMAGE_ID, "deactivated", frozenset({"active", "queued"}), True), IMAGE),
    (MarkDeleted(IMAGE_ID, IMAGE), DELETED),
    (MoveToTrash(IMAGE_ID, KEEP, NEW_JOB), replace(IMAGE, status="pending_delete")),
    (DeleteFromTrash(IMAGE_ID, True), DELETED),
    (ListTrash(10), (DeletedImage(IMAGE_ID, "disk", "p1", 700, LATER), DeletedImage("x", None, None, None, TIME))),
    (UndoDeletion(DELETED), IMAGE),
    (PurgeImages(KEEP, 10), 3),
    (CountUsage("p1"), {IMAGE_SIZE_TOTAL: 2**45}),
    (CountUsage(), {}),
    (GetProjectLimits("p1"), {IMAGE_SIZE_TOTAL: -1}),
    (SetProjectLimits("p1", {IMAGE_SIZE_TOTAL: 2**45, "image_count_total": None}), None),
    (ListProjects(10, after="a"), ("p1", "p2")),
    (Ping(), None),
    (BeginTransfer(TRANSFER, LEASE, LIMITS, True, SESSION), QUEUED),
    (ReserveSpace("t1", -(2**40), LIMITS), None),
    (IsYoungestTransfer("t1"), True),
    (RecordData(TRANSFER, replace(DATA, link=NewLink(10, 65536, b"\x00\xff")), (NEW_JOB,), SESSION), IMAGE),
    (LoadChain(IMAGE_ID, SCOPE), (IMAGE, QUEUED)),
    (GetBlockHashes(IMAGE_ID, 3, 16), KnownHashes(5, (b"\x00\xff", b""))),
    (SaveBlockHashes(IMAGE_ID, 3, b"\x00\xff"), True),
    (BeginBlockHashes(NEW_JOB), False),
    (GetDiskIndex(IMAGE_ID), b"\x00\xff"),
    (ListDependents(IMAGE_ID, 10, "x"), (IMAGE_ID, "y")),
    (SaveDiskIndex(IMAGE_ID, "file:///x", 2, b"\x00index"), True),
    (RecordDiskHashes(IMAGE_ID, "file:///x", 700, "c" * 32, "sha512", "d" * 128), True),
    (ReplaceData(JOB, DATA, 65536, (NEW_JOB,), LIMITS), IMAGE),
    (AbortTransfer(TRANSFER, has_remains=True, keeps_lease=True), None),
    (LeaveRemains(remains_of(IMAGE_ID, "p1", "s3", "name")), None),
    (RenewLeases("host:1:ab", frozenset({"t1", "t2"}), LEASE), None),
    (TakeExpiredTransfers("host:1:ab", frozenset({"t1"}), LEASE, "http://node1"), (TRANSFER,)),
    (ListRemovals(IMAGE_ID), (DELETION,)),
    (TakeDueRemovals(LEASE, "http://node1"), (DELETION, DELETION)),
    (HoldRemoval(DELETION, LEASE), False),
    (FinishRemoval(3), None),
    (RecordStaged(TRANSFER, STAGED), IMAGE),
    (GetStaged(IMAGE_ID), STAGED),
    (GetStaged(IMAGE_ID), None),
    (ForgetStaged(IMAGE_ID), None),
    (DiscardStaged(IMAGE_ID), None),
    (ListDataNames(frozenset({IMAGE_ID, "x"})), {IMAGE_ID: frozenset({"a", "b"}), "x": frozenset()}),
    (BeginImport(JOB, "queued", "importing", PROGRESS, LIMITS, KEEP), ImportBegun(IMAGE, JOB, (JOB, NEW_JOB))),
    (RecordImport(JOB, DATA, PROGRESS, "active", LIMITS), IMAGE),
    (EndImport(JOB, {**PROGRESS, "os_glance_import_task": None}, "queued", ("file:///x",)), QUEUED),
    (AddJob(NEW_JOB, KEEP), JOB),
    (GetJob(JOB.id), JOB),
    (ClaimJob("host:1:ab", ("import", "scrub"), LEASE, JobLimits(2, 1), "http://node1"), JOB),
    (ClaimJob("host:1:ab", (), LEASE), None),
    (RenewJobs("host:1:ab", frozenset({JOB.id, "x"}), LEASE), frozenset({JOB.id, "x"})),
    (SaveCheckpoint(JOB, {"step": 1, "done": ["a"]}, "half of it"), JOB),
    (FinishJob(JOB, "success", {"image_id": IMAGE_ID}, "done", KEEP), JOB),
    (FinishJob(JOB, "failure", None, "It broke.", KEEP), JOB),
    (ReleaseJob(JOB, LEASE, "not now"), None),
    (CancelJob(JOB.id, KEEP), JOB),
    (RetryJob(JOB.id), JOB),
    (PurgeJobs(10), 4),
    (MeasureQueue(), {"running": 1, "waiting": 2, "waiting_seconds": 3}),
    (AddEvents((EVENT, Event("image.update", {}))), None),
    (TakeEvents("dispatcher", LEASE, 100), (EVENT,)),
    (FinishEvents((1, 2)), None),
    (ReleaseEvents("dispatcher", (1, 2)), None),
    (CountEvents(), 12),
    (ReadEvents(7, (3, 5), 100), (LOGGED,)),
    (ReadLastEvents(100), (LOGGED,)),
    (RemoveEvents(LEASE, 100), 3),
    (LoadNamespace("n", SCOPE), NAMESPACE),
    (
        GetNamespaces(NamespaceQuery("public", ("OS::Glance::Image",), "namespace", "asc", "m", 3), SCOPE),
        NamespacePage((CONTENT, NamespaceContent(Namespace("bare"))), "n"),
    ),
    (AddNamespace(CONTENT, BOUNDS), CONTENT),
    (GetNamespace("n", NAMESPACE), CONTENT),
    (ModifyNamespace("n", NAMESPACE, NAMESPACE, BOUNDS), CONTENT),
    (DeleteNamespace("n", NAMESPACE), NAMESPACE),
    (ListResourceTypes(), (ResourceType("OS::Glance::Image", TIME, LATER),)),
    (ListAssociations("n", NAMESPACE), (TYPE,)),
    (AddAssociation("n", NAMESPACE, TYPE, BOUNDS), TYPE),
    (RemoveAssociation("n", NAMESPACE, "OS::Glance::Image"), TYPE),
    (GetProperties("n", NAMESPACE, PARTS), PropertyPage((DEFINED,), "p")),
    (AddProperty("n", NAMESPACE, DEFINED, BOUNDS), DEFINED),
    (DeleteProperties("n", NAMESPACE), NAMESPACE),
    (GetProperty("n", NAMESPACE, "p", "OS::Glance::Image"), DEFINED),
    (ModifyProperty("n", NAMESPACE, "p", DEFINED, BOUNDS), DEFINED),
    (RemoveProperty("n", NAMESPACE, "p"), DEFINED),
    (GetObjects("n", NAMESPACE, PARTS), ObjectPage((OBJECT,), "o")),
    (AddObject("n", NAMESPACE, OBJECT, BOUNDS), OBJECT),
    (DeleteObjects("n", NAMESPACE), NAMESPACE),
    (GetObject("n", NAMESPACE, "o"), OBJECT),
    (ModifyObject("n", NAMESPACE, "o", OBJECT, BOUNDS), OBJECT),
    (DeleteObject("n", NAMESPACE, "o"), OBJECT),
    (GetTags("n", NAMESPACE, PARTS), TagPage((WORD,), "t")),
    (AddTags("n", NAMESPACE, ("t", "u"), True, BOUNDS), TagsWritten(NAMESPACE, (WORD,), 3)),
    (DeleteTags("n", NAMESPACE), NAMESPACE),
    (AddTag("n", NAMESPACE, "t", BOUNDS), WORD),
    (GetTag("n", NAMESPACE, "t"), WORD),
    (ModifyTag("n", NAMESPACE, "t", "u"), WORD),
    (DeleteTag("n", NAMESPACE, "t"), WORD),
    (WriteNamespaces((CONTENT, CONTENT), "merge"), ("added", "kept")),
    (RemoveNamespaces(), 48),
    (TakeOverImages((RECORD, ImageRecord(QUEUED)), True), TakenOver(1, 2, 3, (IMAGE_ID,))),
    (BuryImages((BuriedId(IMAGE_ID, TIME), BuriedId("x")), True), TakenOver(1)),
    (TakeOverJobs((JOB,), True), TakenOver(unchanged=1)),
    (TakeOverNamespaces((CONTENT,), ("T",), True), TakenOver(changed=1)),
    (ListRecords(IMAGE_ID, 10, 100), (RECORD,)),
    (ListBuried(IMAGE_ID, 10), (BuriedId(IMAGE_ID, TIME), BuriedId("x"))),
    (
        ListCacheRecords("n1"),
        (CacheRecord(IMAGE_ID, 2**40, True, 7, TIME, LATER), CacheRecord("x", 0, False, 0, TIME, TIME)),
    ),
    (RecordCacheHits("n1", {IMAGE_ID: 3}), None),
    (RecordCached("n1", (CachedSize(IMAGE_ID, 2**40, True),)), None),
    (ForgetCached("n1", frozenset({IMAGE_ID}), timedelta(days=3)), 1),
    (ForgetCached("n1"), 0),
    (QueueCaching("n1", IMAGE_ID), None),
    (ListCachingQueue("n1"), (IMAGE_ID, "x")),
    (UnqueueCaching("n1", frozenset({IMAGE_ID})), 1),
    (FindCachedNodes(IMAGE_ID), ("n1", "n2")),
    (ListPopularImages(10), (IMAGE_ID,)),
    (ListInactiveImages(frozenset({IMAGE_ID, "x"})), frozenset({"x"})),
    (PurgeKeys(KEEP, 10), 3),
]
"""A call of each class, with a result of it."""


class TestValues(testtools.TestCase):
    def test_each_data_call_has_a_sample(self) -> None:
        self.assertEqual(set(DATA_CALLS), {type(call) for call, _ in SAMPLES})

    def test_each_field_has_a_value_in_some_sample(self) -> None:
        every: set[tuple[str, str]] = set()
        used: set[tuple[str, str]] = set()
        for value in _values([*SAMPLES, CALLER]):
            names = {(type(value).__name__, field.name) for field in fields(value)}
            every |= names
            used |= {each for each in names if getattr(value, each[1]) not in (None, (), {}, "", 0, False)}
        self.assertEqual(set(), every - used)

    def test_each_call_arrives_as_it_was_sent(self) -> None:
        for call, _ in SAMPLES:
            self.assertEqual(call, send(call, type(call)))

    def test_each_result_arrives_as_it_was_sent(self) -> None:
        for call, result in SAMPLES:
            self.assertEqual(result, send(result, result_type(call)), call.name)

    def test_cause_arrives_as_it_was_sent(self) -> None:
        for cause in (CALLER, Cause("restore_image"), None):
            self.assertEqual(cause, send(cause, Cause | None))

    def test_value_that_is_not_plain_is_found(self) -> None:
        self.assertRaises(AssertionError, send, CreateImage(base={"tags": ("a",)}), CreateImage)
        self.assertRaises(AssertionError, send, CreateImage(base={"created_at": TIME}), CreateImage)
        self.assertRaises(TypeError, send, CreateImage(base={"open": self}), CreateImage)


class TestErrors(testtools.TestCase):
    def test_each_error_has_a_code_of_its_own(self) -> None:
        classes = {each for each in vars(errors).values() if isinstance(each, type)}
        self.assertEqual({each for each in classes if issubclass(each, GlanceMiniError)}, set(ERRORS.values()))

    def test_each_error_arrives_with_its_class_its_text_and_its_values(self) -> None:
        for error_class in ERRORS.values():
            names = [name for _, name, _, _ in Formatter().parse(error_class.template) if name]
            for values in (dict.fromkeys(names, "ü"), dict.fromkeys(names, 2**40)):
                error = error_class(**values)
                arrived = send_error(error)
                self.assertIs(error_class, type(arrived))
                self.assertEqual((str(error), error.values), (str(arrived), arrived.values))


def _values(value: Any) -> Iterator[Any]:
    """Yield all values of ours in ``value``, however deep."""
    if is_dataclass(value):
        yield value
        for field in fields(value):
            yield from _values(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from _values([*value.values()])
    elif isinstance(value, list | tuple | frozenset):
        for each in value:
            yield from _values(each)
