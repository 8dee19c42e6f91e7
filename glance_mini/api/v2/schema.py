"""The schemas as documents, which are made once (api-schemas)."""

from collections.abc import Mapping

from glance_mini.api.request import Request
from glance_mini.api.response import Response, dump_json
from glance_mini.api.v2.schemas import images, members, metadefs, tasks
from glance_mini.api.v2.schemas.shapes import ObjectSchema

PREFIX = "/v2/schemas/"


def all_schemas(image: ObjectSchema) -> dict[str, ObjectSchema]:
    """Return the sixteen schemas by their path behind ``/v2/schemas/``."""
    return {
        "image": image,
        "images": images.images_schema(image),
        "member": members.member_schema(),
        "members": members.members_schema(),
        "task": tasks.task_schema(),
        "tasks": tasks.tasks_schema(),
        "metadefs/namespace": metadefs.namespace_schema(),
        "metadefs/namespaces": metadefs.namespaces_schema(),
        "metadefs/resource_type": metadefs.resource_type_schema(),
        "metadefs/resource_types": metadefs.resource_types_schema(),
        "metadefs/property": metadefs.property_schema(),
        "metadefs/properties": metadefs.properties_schema(),
        "metadefs/object": metadefs.object_schema(),
        "metadefs/objects": metadefs.objects_schema(),
        "metadefs/tag": metadefs.tag_schema(),
        "metadefs/tags": metadefs.tags_schema(),
    }


class SchemaController:
    """Answers ``/v2/schemas/…``."""

    def __init__(self, schemas: Mapping[str, ObjectSchema]) -> None:
        self._documents = {PREFIX + name: dump_json(schema) for name, schema in schemas.items()}

    def show(self, request: Request) -> Response:
        """Show the schema that the path names."""
        body = self._documents[request.environ["PATH_INFO"]]
        return Response(body=body, content_type="application/json", charset=None)
