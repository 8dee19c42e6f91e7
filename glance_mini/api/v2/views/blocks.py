"""The blocks of a disk as clients see them (api-incremental-blocks)."""

from collections.abc import Iterable
from urllib.parse import urlencode

from glance_mini.domain.blocks import BlockPage

View = dict[str, object]


def page(found: BlockPage, image_id: str, parameters: Iterable[tuple[str, str]]) -> View:
    """Return the view of a page; ``parameters`` are those of the request, for the link to the next page."""
    view: View = {
        "virtual_size": found.virtual_size,
        "block_size": found.block_size,
        "blocks": [{"offset": one.offset, "length": one.length, "sha256": one.sha256} for one in found.blocks],
    }
    if found.next_offset is not None:
        kept = [(name, value) for name, value in parameters if name != "marker"]
        query = urlencode([*kept, ("marker", str(found.next_offset))])
        view["next"] = f"/v2/images/{image_id}/blocks?{query}"
    return view
