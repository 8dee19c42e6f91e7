"""The errors of the image service.

Each class has a stable ``code`` and a ``template`` that is filled from keywords. Only ``glance_mini.api.errors``
maps a class to an HTTP status.
"""

from typing import ClassVar


class GlanceMiniError(Exception):
    """Base class of the project's errors: ``code`` never changes, the text is made from keywords."""

    code: ClassVar[str] = "error"
    template: ClassVar[str] = "The request failed."

    def __init__(self, **values: object) -> None:
        super().__init__(self.template.format(**values))
        self.values = values


class NotFound(GlanceMiniError):
    """Nothing of that kind has that id, or the caller may not know of it."""

    code = "not_found"
    template = "No {kind} found with ID {id}"


class LinkNotFound(NotFound):
    """There is no such link, or it has expired, or it is another caller's."""

    code = "not_found.link"
    template = "The link is unknown or has expired."


class TokenNotFound(NotFound):
    """There is no such token, or it has expired."""

    code = "not_found.token"
    template = "The token is unknown or has expired."


class UploadSessionNotFound(NotFound):
    """There is no such upload session of the image, or it has expired or ended."""

    code = "not_found.upload_session"
    template = "The upload is unknown, or it has expired or ended."


class Forbidden(GlanceMiniError):
    """The caller can see the target but may not do this to it."""

    code = "forbidden"
    template = "{reason}"


class PolicyRefused(Forbidden):
    """A policy rule refused the request."""

    code = "forbidden.policy"
    template = "You are not authorized to complete {rule} action."


class PropertyProtected(Forbidden):
    """A property protection rule refused the request (api-protection)."""

    code = "forbidden.property"
    template = "Attribute '{name}' is reserved."


class Invalid(GlanceMiniError):
    """The request cannot be understood or breaks a rule about values."""

    code = "invalid"
    template = "{reason}"


class PropertyRefused(Invalid):
    """The value of a custom property breaks a rule of an enforced namespace (api-metadefs-enforced)."""

    code = "invalid.property"
    template = "Property '{name}' breaks the rule {rule} of namespace {namespace}: its value is {value!r}."


class PropertyRequired(Invalid):
    """An image has no data, or keeps none, without this property (api-metadefs-enforced)."""

    code = "invalid.property_required"
    template = "Property '{name}' is required by an enforced namespace before image {id} has data."


class UnsafeContent(GlanceMiniError):
    """Uploaded data does not have the declared format, or is unsafe to open (api-data-inspection)."""

    code = "content.unsafe"
    template = "Image data was refused: {reason}"


class Conflict(GlanceMiniError):
    """The current state of the target does not allow this."""

    code = "conflict"
    template = "{reason}"


class StatusConflict(Conflict):
    """The status of the image does not allow this (api-images-statuses)."""

    code = "conflict.status"
    template = "Image {id} is {status}; this needs status {wanted}."


class ChainConflict(Conflict):
    """Other images are based on the target, or it on another image, and that does not allow this (api-incremental).

    ``dependents`` are ids of such images, which the caller may not know; ``shown`` names those that the caller may see.
    """

    code = "conflict.chain"
    template = "{reason}{shown}"


class Duplicate(Conflict):
    """Something with that name already exists."""

    code = "conflict.duplicate"
    template = "{kind} {id} exists already."


class OffsetConflict(Conflict):
    """Data was sent for another place than the end of what was sent before."""

    code = "conflict.offset"
    template = "The upload goes on at byte {expected}, not at byte {offset}."


class ChecksumMismatch(GlanceMiniError):
    """What was sent does not have the checksum that was announced."""

    code = "content.checksum"
    template = "What arrived does not have the announced {algorithm} checksum, and was dropped."


class LimitExceeded(GlanceMiniError):
    """The request would exceed a limit of the service, the project or the image."""

    code = "quota.exceeded"
    template = "The limit for {resource} is {limit}; this request would make it {wanted}."


class Gone(GlanceMiniError):
    """The target was deleted while the request was being served."""

    code = "gone"
    template = "{kind} {id} was deleted while the request was being served."


class TransferLost(Gone):
    """The transfer has ended, or another process has taken it over and now owns its data."""

    code = "gone.transfer"
    template = "The transfer {id} was aborted before its end."


class UploadLost(Gone):
    """What was sent for an upload before is no longer there."""

    code = "gone.upload"
    template = "What was sent for this upload before is lost; begin a new upload."


class Unavailable(GlanceMiniError):
    """A service that this one depends on does not answer; the request may be repeated later."""

    code = "unavailable"
    template = "{reason}"


class DatabaseUnavailable(Unavailable):
    """The database does not answer; a registry with another database server may."""

    code = "unavailable.database"


class TooManyAttempts(GlanceMiniError):
    """The caller has failed too often, or too many wait for their turn; it may come back after ``seconds``."""

    code = "attempts"
    template = "There are too many attempts to log in; try again in {seconds} seconds."


class ClientGone(GlanceMiniError):
    """The request's body ended too early, was malformed or came too slowly."""

    code = "body.broken"
    template = "The request body could not be read: {reason}"


class BodyTimeout(ClientGone):
    """The client sent nothing for too long."""

    code = "body.timeout"


class ConfigurationError(GlanceMiniError):
    """The service cannot start with this configuration."""

    code = "configuration"
    template = "{reason}"


class RangeNotSatisfiable(GlanceMiniError):
    """The requested range is malformed or begins beyond the end of the data."""

    code = "range.not_satisfiable"
    template = "The range cannot be served from {size} bytes."
