"""Uploads that clients send to a store by a link (api-links-uploads).

What is sent has a temporary name, which belongs to a transfer without a process: its lease is that of the link, and
when it ends, the reaper removes what was sent. A job makes a copy the data of the image.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from glance_mini.domain.context import Context
from glance_mini.domain.errors import Conflict, Invalid
from glance_mini.domain.imports import TASK_PROPERTY
from glance_mini.domain.job import LINK_UPLOAD, Job, new_job
from glance_mini.domain.links import Link, new_link, transfer_of
from glance_mini.domain.quota import Limits
from glance_mini.domain.status import check_formats
from glance_mini.layers.base import Handler
from glance_mini.layers.location.callers import caller_for
from glance_mini.layers.location.imports import ImportRules
from glance_mini.operations.links import AddLink, AddUploadLink, CompleteUpload, DeleteLink, GetLink, UploadAddress
from glance_mini.operations.records import AbortTransfer, BeginImport, BeginTransfer, RenewLeases
from glance_mini_store import capabilities
from glance_mini_store import errors as store_errors
from glance_mini_store.store import Store
from glance_mini_store.stores import Stores


class UploadLinks:
    """Makes, completes and ends links for uploads for the layer that passes its ``below``.

    ``grace`` is the time to complete an upload after its link has ended; None: there are no such links.
    """

    def __init__(self, below: Handler, stores: Stores, rules: ImportRules, grace: timedelta | None) -> None:
        self._below = below
        self._stores = stores
        self._rules = rules
        self._grace = grace

    def add(self, context: Context, op: AddUploadLink, choose: Callable[[str | None], Store]) -> UploadAddress:
        """Begin a transfer to the store that ``choose`` returns, and return a link with the address for its data."""
        store = choose(op.store)
        refusal = Invalid(reason=f"Data cannot be sent to store {store.id} by a link.")
        if self._grace is None or capabilities.UPLOAD not in store.driver.capabilities:
            raise refusal
        check_formats(op.target)
        link = replace(new_link(context, op.image_id), size=op.size, store=store.id)
        transfer = transfer_of(link, op.target.owner)
        seconds = int(op.lifetime.total_seconds())
        own = store.for_caller(caller_for(context, op.target.owner))
        try:
            url = own.presigned_upload(transfer.name, seconds, op.size)
        except store_errors.StoreAddDisabled:
            raise refusal from None
        lease = op.lifetime + self._grace
        self._below(context, BeginTransfer(transfer, lease, op.limits, to_staging=True))
        # Nobody knows the secret of this link: it is no address of this service.
        digest = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
        try:
            made = self._below(context, AddLink(op.image_id, op.image, digest, lease, link, op.limit))
        except Exception:
            self._below(context, AbortTransfer(transfer))
            raise
        return UploadAddress(made, url)

    def complete(self, context: Context, op: CompleteUpload) -> Job:
        """Begin the job for what was sent, and return it."""
        link = self._below(context, GetLink(op.image_id, op.link_id))
        if link.size is None or link.store is None:
            raise Conflict(reason="This link is for downloads; there is nothing to complete.")
        transfer = transfer_of(link, op.target.owner)
        store = self._stores.get(link.store).for_caller(caller_for(context, op.target.owner))
        sent = store.uploaded(transfer.name)
        if sent != link.size:
            found = "nothing was" if sent is None else f"{sent} bytes were"
            raise Conflict(reason=f"{link.size} bytes were announced, and {found} sent by this link. Send them again.")
        values = {"image_id": op.image_id, "link_id": link.id, "store": link.store, "size": link.size}
        priority = self._rules.priority(LINK_UPLOAD)
        job = new_job(context, LINK_UPLOAD, values, image_id=op.image_id, priority=priority, token=context.auth_token)
        # The transfer counts for the quota already.
        limits = Limits(required=op.limits.required)
        begin = BeginImport(job, "uploading", "importing", {TASK_PROPERTY: job.id}, limits, self._rules.keep_jobs)
        self._below(context, RenewLeases(transfer.process, frozenset({transfer.id}), _lease(link)))
        begun = self._below(context, begin)
        self._rules.wake_workers()
        return begun.job

    def delete(self, context: Context, op: DeleteLink) -> None:
        """End a link; what was sent by one for an upload is removed when its lease ends, because more may be sent."""
        link = self._below(context, GetLink(op.image_id, op.link_id))
        self._below(context, op)
        if link.size is not None:
            transfer = transfer_of(link, op.target.owner)
            self._below(context, AbortTransfer(transfer, has_remains=True, keeps_lease=True))


def _lease(link: Link) -> timedelta:
    """Return how long the link works, and its data is kept, from now on: at least as long as before."""
    assert link.created_at is not None and link.expires_at is not None
    return link.expires_at - link.created_at
