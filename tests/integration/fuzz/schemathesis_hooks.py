"""What schemathesis must be told about our media types; it loads this file by name."""

import schemathesis

JSON_PATCH = [
    "application/openstack-images-v2.1-json-patch",
    "application/openstack-images-v2.0-json-patch",
]

schemathesis.serializer.alias(JSON_PATCH, "application/json")

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
