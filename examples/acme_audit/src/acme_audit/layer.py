"""The layer: it changes nothing and records caller and outcome of each operation."""

import logging
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from oslo_config import cfg

from acme_audit.log import AuditLog
from acme_audit.options import GROUP, OPTS
from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError
from glance_mini.layers.base import Layer, Services
from glance_mini.operations import Operation

LOG = logging.getLogger(__name__)


class AuditLayer(Layer):
    """Writes one line for every public operation, refused ones included.

    It belongs at the head of ``[domain] layers``, so that it also sees what the other layers refuse.
    """

    name: ClassVar[str] = "audit"
    contract: ClassVar[int] = 1

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, services: Services) -> Self:
        """Return the layer with the file of ``[acme_audit] file``; raises ConfigurationError."""
        conf.register_opts(OPTS, group=GROUP)
        try:
            return cls(AuditLog(conf.acme_audit.file))
        except OSError as error:
            raise ConfigurationError(reason=f"[acme_audit] file cannot be opened: {error}") from error

    def around(self, context: Context, op: Operation) -> Any:
        """Return what the layers below return, or raise what they raise; writes a line in both cases."""
        try:
            result = self.below(context, op)
        except Exception as error:
            self._record(context, op, None, outcome=getattr(error, "code", type(error).__name__))
            raise
        self._record(context, op, result, outcome="done")
        return result

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _record(self, context: Context, op: Operation, result: object, outcome: str) -> None:
        entry = {
            "time": datetime.now(UTC).isoformat(),
            "request": context.request_id,
            "user": context.user_id,
            "project": context.project_id,
            "operation": op.name,
            "image": getattr(op, "image_id", None) or getattr(result, "id", None),
            "outcome": outcome,
        }
        try:
            self._log.write(entry)
        except OSError:
            LOG.exception("The audit log lost this entry: %s", entry)
