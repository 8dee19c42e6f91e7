"""The life of an image through apache-libcloud; what is printed is compared.

libcloud itself lists and shares images. For the rest its connection sends the calls, except for the upload, for which
libcloud has no call that does not make JSON of it: that is sent with the token of the connection.
"""

import os
import sys
import urllib.request

from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

driver = get_driver(Provider.OPENSTACK)(
    os.environ["OS_USERNAME"],
    os.environ["OS_PASSWORD"],
    # It adds the version itself.
    ex_force_auth_url=os.environ["OS_AUTH_URL"].removesuffix("/v3"),
    ex_force_auth_version="3.x_password",
    ex_domain_name=os.environ["OS_USER_DOMAIN_NAME"],
    ex_tenant_name=os.environ["OS_PROJECT_NAME"],
    api_version="2.0",
    ex_force_service_region=os.environ["OS_REGION_NAME"],
)
with open(sys.argv[1], "rb") as file:
    content = file.read()
connection = driver.image_connection
body = {"name": "disk", "disk_format": "raw", "container_format": "bare", "visibility": "shared"}
made = connection.request("/v2/images", method="POST", data=body).object
path = f"/v2/images/{made['id']}"
headers = {"X-Auth-Token": connection.auth_token, "Content-Type": "application/octet-stream"}
url = f"http://{connection.host}:{connection.port}{path}/file"
urllib.request.urlopen(urllib.request.Request(url, content, headers, method="PUT"), timeout=60).close()
print("uploaded", driver.get_image(made["id"]).extra["status"].lower())
print("listed", *(image.name for image in driver.list_images()))
print("shared", driver.ex_create_image_member(made["id"], sys.argv[2]).state.lower())
print("downloaded", connection.request(f"{path}/file", raw=True).response.read().encode() == content)
connection.request(path, method="DELETE")
print("deleted", len(driver.list_images()))
