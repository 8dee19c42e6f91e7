"""What is wrong with the data of a disk. On the way in, both are refusals of the upload."""

from glance_mini.domain.errors import GlanceMiniError, UnsafeContent


class Unsupported(UnsafeContent):
    """The disk is valid and uses something that is not read here (format-incremental-refused)."""

    code = "content.disk_unsupported"
    template = "The disk cannot be used: {reason}"


class Damaged(UnsafeContent):
    """The disk contradicts itself or its format: a table or a cluster lies outside the file, or data is missing."""

    code = "content.disk_damaged"
    template = "The disk is damaged: {reason}"


class StaleIndex(GlanceMiniError):
    """An index is unreadable, or was made for other files; without it everything works, more slowly."""

    code = "disk.stale_index"
    template = "The index of the disk cannot be used: {reason}"
