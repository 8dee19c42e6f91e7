"""The contract for uploads that may break off and go on."""

from datetime import datetime, timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.image import Image
from glance_mini.domain.quota import IMAGE_COUNT_UPLOADING, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, NO_LIMITS, Limits
from glance_mini.domain.transfer import Transfer
from glance_mini.domain.upload_session import JOINED, NO_SESSION_LIMITS, PART, SessionLimits, UploadSession
from glance_mini.operations.records import (
    AbortTransfer,
    BeginTransfer,
    CountUsage,
    LoadImage,
    MarkDeleted,
    RecordData,
    TakeExpiredTransfers,
)
from glance_mini.operations.upload_sessions import (
    AddUploadSession,
    DeleteUploadSession,
    GetUploadSession,
    ListUploadSessions,
    PurgeUploadSessions,
    SaveUpload,
    TakeUnfinishedUploads,
)
from glance_mini.testing.data_access.samples import NOW, ContractBase, data_of, stored

LIFETIME = timedelta(minutes=10)
GRACE = timedelta(minutes=1)
AFTER = NOW + LIFETIME
A_MOMENT = timedelta(microseconds=1)
LEASE = timedelta(seconds=60)


class UploadSessionContract(ContractBase):
    def test_session_is_found_with_all_that_is_known_of_its_maker(self) -> None:
        image = self.create()
        made = UploadSession(
            id=str(uuid4()),
            image_id=image.id,
            size=2**40,
            store="fast",
            metadata="name eA==",
            user_id="ü",
            project_id="p1",
            roles=("member", "reader"),
            service_roles=("service",),
            is_admin=True,
            user_domain_id="d0",
            project_domain_id="d1",
            domain_id="d2",
            system_scope="all",
        )
        session = self.data.run(AddUploadSession(image.id, session=made, lifetime=LIFETIME), NOW)
        self.assertEqual((NOW, AFTER, 0, None), (session.created_at, session.expires_at, session.received, None))
        self.assertEqual(session, self.data.run(GetUploadSession(image.id, None, session.id), AFTER - A_MOMENT))
        self.assertEqual((session,), self.data.run(ListUploadSessions(image.id), NOW))
        elsewhere = self.create()
        for call, at in (
            (GetUploadSession(image.id, None, session.id), AFTER),
            (GetUploadSession(elsewhere.id, None, session.id), NOW),
            (GetUploadSession(image.id, None, "none"), NOW),
        ):
            self.assertRaises(errors.UploadSessionNotFound, self.data.run, call, at)
        self.assertEqual((), self.data.run(ListUploadSessions(image.id), AFTER))

    def test_received_bytes_are_compared_and_set_and_prolong_the_session(self) -> None:
        session = self.begin_session(100)
        later = NOW + LIFETIME / 2
        self.assertEqual((40, later + LIFETIME), self.end_of(self.save_session(session, 0, 40, later)))
        self.assertRaises(errors.OffsetConflict, self.save_session, session, 0, 50, later)
        self.assertEqual(40, self.session_of(session, later).received)
        complete = self.save_session(session, 40, 100, later)
        self.assertEqual(later + GRACE, complete.finish_at)
        self.assertEqual((), self.transfers_left(AFTER))
        self.assertEqual([session.id], [each.id for each in self.transfers_left(later + LIFETIME + A_MOMENT)])
        self.assertRaises(errors.UploadSessionNotFound, self.save_session, session, 100, 100, later)

    def test_session_of_an_image_that_has_data_or_no_formats_is_refused(self) -> None:
        self.assertRaises(errors.StatusConflict, self.begin_session, 1, self.insert(stored()))
        self.assertRaises(errors.Invalid, self.begin_session, 1, self.create(disk_format=None))

    def test_bytes_count_as_staged_until_the_session_ends(self) -> None:
        session = self.begin_session(70)
        self.assertEqual((0, 70, 1), self.session_usage())
        self.assertEqual(session.id, self.data.run(DeleteUploadSession(session.image_id, None, session.id), NOW).id)
        self.assertEqual((0, 0, 1), self.session_usage())
        self.assertRaises(
            errors.UploadSessionNotFound, self.data.run, DeleteUploadSession(session.image_id, None, session.id), NOW
        )
        (left,) = self.transfers_left(NOW + A_MOMENT)
        self.data.run(AbortTransfer(left), NOW)
        self.assertEqual((0, 0, 0), self.session_usage())
        self.assertEqual("queued", self.data.run(LoadImage(session.image_id)).status)

    def test_limits_of_open_sessions_and_of_their_bytes(self) -> None:
        image = self.create()
        limits = Limits({IMAGE_STAGE_TOTAL: 100})
        self.begin_session(60, image, limits=limits)
        self.assertRaises(errors.LimitExceeded, self.begin_session, 41, image, limits=limits)
        for bounds in (SessionLimits(per_image=1), SessionLimits(per_project=1), SessionLimits(room=69)):
            self.assertRaises(errors.LimitExceeded, self.begin_session, 10, image, bounds=bounds)
        self.begin_session(10, image, bounds=SessionLimits(2, 2, 70))
        self.begin_session(10, self.create(), bounds=SessionLimits(per_image=1))
        self.assertEqual(2, len(self.data.run(ListUploadSessions(image.id), NOW)))
        # Those that have expired do not count.
        self.begin_session(10, image, at=AFTER, bounds=SessionLimits(1, 1, 10))

    def test_finished_session_frees_what_was_staged_and_stays_known(self) -> None:
        image = self.create()
        session = self.save_session(self.begin_session(70, image), 0, 70)
        limits = Limits({IMAGE_SIZE_TOTAL: 100}, together={IMAGE_SIZE_TOTAL: (IMAGE_STAGE_TOTAL,)})
        transfer = self.upload_of(image, 70)
        self.data.run(BeginTransfer(transfer, LEASE, limits, session=session), NOW + A_MOMENT)
        self.assertEqual((70, 70, 2), self.session_usage())
        self.assertEqual("active", self.data.run(RecordData(transfer, data_of(70), session=session), NOW).status)
        self.assertEqual((70, 0, 1), self.session_usage())
        found = self.session_of(session)
        self.assertEqual((True, None, 70), (found.is_finished, found.finish_at, found.received))
        self.assertEqual([session.id], [each.id for each in self.transfers_left(NOW + A_MOMENT)])
        self.assertEqual((), self.data.run(TakeUnfinishedUploads(LEASE), AFTER - A_MOMENT))

    def test_failed_upload_of_a_session_keeps_it(self) -> None:
        image = self.create()
        session = self.save_session(self.begin_session(70, image), 0, 70)
        transfer = self.upload_of(image, 70)
        over = Limits({IMAGE_SIZE_TOTAL: 69})
        self.assertRaises(
            errors.LimitExceeded, self.data.run, BeginTransfer(transfer, LEASE, over, session=session), NOW + A_MOMENT
        )
        self.data.run(BeginTransfer(transfer, LEASE, session=session), NOW + A_MOMENT)
        self.data.run(AbortTransfer(transfer), NOW)
        self.assertEqual((0, 70, 1), self.session_usage())
        self.assertEqual((session, "queued"), (self.session_of(session), self.data.run(LoadImage(image.id)).status))

    def test_upload_of_a_session_that_has_ended_records_nothing(self) -> None:
        image = self.create()
        session = self.save_session(self.begin_session(70, image), 0, 70)
        transfer = self.upload_of(image, 70)
        self.data.run(BeginTransfer(transfer, LEASE, session=session), NOW + A_MOMENT)
        self.data.run(DeleteUploadSession(image.id, None, session.id), NOW)
        call = RecordData(transfer, data_of(70), session=session)
        self.assertRaises(errors.UploadSessionNotFound, self.data.run, call, NOW)
        self.assertEqual("saving", self.data.run(LoadImage(image.id)).status)

    def test_parts_are_joined_when_they_are_complete(self) -> None:
        image = self.create()
        parts = [self.begin_session(size, image, PART) for size in (30, 40)]
        ids = tuple(part.id for part in parts)
        self.assertRaises(errors.Conflict, self.join_parts, image, ids)
        for part in parts:
            self.assertIsNone(self.save_session(part, 0, part.size).finish_at)
        whole = self.save_session(self.begin_session(1, image), 0, 1)
        for wrong in ((*ids, "none"), (*ids, whole.id), (self.begin_session(0, self.create(), PART).id,)):
            self.assertRaises(errors.Invalid, self.join_parts, image, wrong)
        far = self.begin_session(0, image, PART, node_url="http://elsewhere")
        self.assertRaises(errors.Conflict, self.join_parts, image, (*ids, far.id))
        later = NOW + GRACE
        joined = self.join_parts(image, ids, later)
        self.assertEqual((70, 70, later + GRACE), (joined.size, joined.received, joined.finish_at))
        self.assertEqual(later + LIFETIME, self.session_of(parts[0], later).expires_at)
        transfer = self.upload_of(image, 70)
        self.data.run(BeginTransfer(transfer, LEASE, session=joined), NOW + A_MOMENT)
        self.data.run(RecordData(transfer, data_of(70), session=joined), NOW)
        self.assertTrue(self.session_of(joined).is_finished)
        self.assertRaises(errors.UploadSessionNotFound, self.session_of, parts[0])

    def test_sessions_end_with_their_image_and_leave_their_bytes_to_a_reaper(self) -> None:
        image = self.create()
        session = self.begin_session(70, image)
        self.data.run(MarkDeleted(image.id), NOW)
        self.assertRaises(errors.UploadSessionNotFound, self.session_of, session)
        self.assertRaises(errors.UploadSessionNotFound, self.save_session, session, 0, 10)
        (left,) = self.transfers_left(NOW + A_MOMENT)
        self.data.run(AbortTransfer(left), NOW)
        self.assertEqual((0, 0, 0), self.session_usage())

    def test_complete_uploads_that_nobody_finishes_are_given_out_one_caller_at_a_time(self) -> None:
        image = self.create()
        session = self.save_session(self.begin_session(70, image), 0, 70)
        due = NOW + GRACE + A_MOMENT
        take = TakeUnfinishedUploads(GRACE)
        self.assertEqual((), self.data.run(take, NOW + GRACE))
        self.data.run(BeginTransfer(transfer := self.upload_of(image, 70), LEASE, session=session), NOW + A_MOMENT)
        self.assertEqual((), self.data.run(take, due))
        self.data.run(AbortTransfer(transfer), NOW)
        self.assertEqual([session.id], [each.id for each in self.data.run(take, due)])
        self.assertEqual((), self.data.run(take, due))
        self.assertEqual([session.id], [each.id for each in self.data.run(take, due + GRACE + A_MOMENT)])

    def test_expired_sessions_are_removed(self) -> None:
        old, young = self.begin_session(1), self.begin_session(1, at=NOW + GRACE)
        self.assertEqual(0, self.data.run(PurgeUploadSessions(10), AFTER - A_MOMENT))
        self.assertEqual(1, self.data.run(PurgeUploadSessions(10), AFTER))
        self.assertRaises(errors.UploadSessionNotFound, self.session_of, old)
        self.assertEqual(young, self.session_of(young))

    def begin_session(
        self,
        size: int,
        image: Image | None = None,
        kind: str = "whole",
        at: datetime = NOW,
        limits: Limits = NO_LIMITS,
        bounds: SessionLimits = NO_SESSION_LIMITS,
        node_url: str | None = None,
    ) -> UploadSession:
        """Return a new session of ``image``."""
        image = image or self.create()
        session = UploadSession(str(uuid4()), image.id, size, kind, project_id="mine", node_url=node_url)
        call = AddUploadSession(
            image.id, session=session, lifetime=LIFETIME, grace=GRACE, limits=limits, session_limits=bounds
        )
        return self.data.run(call, at)

    def join_parts(self, image: Image, parts: tuple[str, ...], at: datetime = NOW) -> UploadSession:
        """Return a new session that joins ``parts``."""
        session = UploadSession(str(uuid4()), image.id, 0, JOINED, parts=parts, project_id="mine")
        return self.data.run(AddUploadSession(image.id, session=session, lifetime=LIFETIME, grace=GRACE), at)

    def save_session(self, session: UploadSession, before: int, received: int, at: datetime = NOW) -> UploadSession:
        """Record received bytes."""
        return self.data.run(SaveUpload(session.image_id, session.id, before, received, LIFETIME, GRACE), at)

    def session_of(self, session: UploadSession, at: datetime = NOW) -> UploadSession:
        """Return what is known of a session."""
        return self.data.run(GetUploadSession(session.image_id, None, session.id), at)

    def end_of(self, session: UploadSession) -> tuple[int, datetime | None]:
        """Return how far a session is, and when it ends."""
        return session.received, session.expires_at

    def transfers_left(self, at: datetime) -> tuple[Transfer, ...]:
        """Return the transfers that a reaper takes."""
        return self.data.run(TakeExpiredTransfers("reaper", frozenset(), LEASE), at)

    def upload_of(self, image: Image, size: int) -> Transfer:
        """Return a transfer to a store."""
        return Transfer(str(uuid4()), image.id, image.owner, "process", "fast", "x", size)

    def session_usage(self) -> tuple[int, int, int]:
        """Return the stored bytes, the staged bytes and the uploads of the project."""
        usage = self.data.run(CountUsage("mine"))
        return usage[IMAGE_SIZE_TOTAL], usage[IMAGE_STAGE_TOTAL], usage[IMAGE_COUNT_UPLOADING]
