"""Uses the service as cinder does, through cinder's own image client: cinder_client.py URL TOKEN FILE.

It prints what it saw. The content of FILE becomes an image, which is saved to FILE.saved.
"""

import sys
from pathlib import Path

import cinder.image.image_utils  # noqa: F401 - It and `glance` import each other.
from cinder import context
from cinder.common import config
from cinder.image import glance

url, token, path = sys.argv[1:]
config.CONF([], project="cinder", default_config_files=[])
config.CONF.set_override("glance_api_servers", [url])
caller = context.RequestContext("user", "project", auth_token=token, service_catalog=[])
images = glance.get_default_image_service()
image = images.create(caller, {"name": "by cinder", "disk_format": "raw", "container_format": "bare"})
with open(path, "rb") as content:
    image = images.update(caller, image["id"], {}, content)
print("created", image["status"], image["size"], image["checksum"])
print("shown", images.show(caller, image["id"])["checksum"])
print("listed", [each["name"] for each in images.detail(caller)])
with open(f"{path}.saved", "wb") as saved:
    images.download(caller, image["id"], saved)
print("saved", Path(f"{path}.saved").read_bytes() == Path(path).read_bytes())
images.delete(caller, image["id"])
print("deleted", len(images.detail(caller)))
