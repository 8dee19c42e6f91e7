"""Uses the service as nova does, through nova's own image client: nova_client.py URL TOKEN FILE.

It prints what it saw. The content of FILE becomes an image, which is saved to FILE.saved.
"""

import sys
from pathlib import Path

import nova.conf
from nova import context
from nova.image import glance

url, token, path = sys.argv[1:]
nova.conf.CONF([], project="nova", default_config_files=[])
nova.conf.CONF.set_override("api_servers", [url], "glance")
caller = context.RequestContext("user", "project", auth_token=token, service_catalog=[])
images = glance.API()
fields = {"name": "by nova", "disk_format": "raw", "container_format": "bare"}
with open(path, "rb") as content:
    image = images.create(caller, fields, data=content)
print("created", image["status"], image["size"], image["checksum"])
print("shown", images.get(caller, image["id"])["checksum"])
print("listed", [each["name"] for each in images.get_all(caller)])
images.download(caller, image["id"], dest_path=f"{path}.saved")
print("saved", Path(f"{path}.saved").read_bytes() == Path(path).read_bytes())
images.delete(caller, image["id"])
print("deleted", len(images.get_all(caller)))
