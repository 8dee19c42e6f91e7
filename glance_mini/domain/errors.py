"""The errors of the image service, raised where they are known.

Each class has a stable ``code`` and a ``template`` that is filled from keywords. How a class becomes an
HTTP status stands in ``glance_mini.api.errors`` and nowhere else.
"""

from typing import ClassVar


class GlanceMiniError(Exception):
    """Root of the project's errors: ``code`` never changes, the text is made from keywords."""

    code: ClassVar[str] = "error"
    template: ClassVar[str] = "The request failed."

    def __init__(self, **values: object) -> None:
        super().__init__(self.template.format(**values))
        self.values = values


class NotFound(GlanceMiniError):
    """Nothing of that kind and name, or the caller may not know of it."""

    code = "not_found"
    template = "No {kind} found with ID {id}"


class Forbidden(GlanceMiniError):
    """The caller sees the target and may not do this to it."""

    code = "forbidden"
    template = "{reason}"


class PolicyRefused(Forbidden):
    """A policy rule said no."""

    code = "forbidden.policy"
    template = "You are not authorized to complete {rule} action."


class PropertyProtected(Forbidden):
    """A property protection rule said no (api-protection)."""

    code = "forbidden.property"
    template = "Attribute '{name}' is reserved."


class Invalid(GlanceMiniError):
    """The request cannot be understood or breaks a rule about values."""

    code = "invalid"
    template = "{reason}"


class UnsafeContent(GlanceMiniError):
    """Uploaded data is not of the declared format, or is unsafe to open (api-data-inspection)."""

    code = "content.unsafe"
    template = "Image data was refused: {reason}"


class Conflict(GlanceMiniError):
    """The state of the target does not allow this now."""

    code = "conflict"
    template = "{reason}"


class StatusConflict(Conflict):
    """The image is not in a status in which this may be done (api-images-statuses)."""

    code = "conflict.status"
    template = "Image {id} is {status}; this needs status {wanted}."


class Duplicate(Conflict):
    """Something of that name exists already."""

    code = "conflict.duplicate"
    template = "{kind} {id} exists already."


class LimitExceeded(GlanceMiniError):
    """A limit of the service, the project or the image would be passed by this request."""

    code = "quota.exceeded"
    template = "The limit for {resource} is {limit}; this request would make it {wanted}."


class Gone(GlanceMiniError):
    """The target vanished while the request was being served."""

    code = "gone"
    template = "{kind} {id} was deleted while the request was being served."


class TransferLost(Gone):
    """The transfer has ended or another process has taken it over, whose business its data now is."""

    code = "gone.transfer"
    template = "The transfer {id} was given up before its end."


class Unavailable(GlanceMiniError):
    """A service behind this one does not answer; the request may be repeated later."""

    code = "unavailable"
    template = "{reason}"


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
    """The range that was asked for is malformed or begins beyond the end of the data."""

    code = "range.not_satisfiable"
    template = "The range cannot be served from {size} bytes."
