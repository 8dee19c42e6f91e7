"""``vsphere://``: a file in a datastore.

``vsphere://server/folder/<image directory>/<id>?dcPath=<datacenter>&dsName=<datastore>``
"""

from urllib.parse import parse_qs, urlencode

from glance_mini_store.locations.base import StoreLocation, bad_uri, check_host


class VmwareLocation(StoreLocation):
    """``server_host`` is host and port, ``path`` begins with ``/folder/``, the two others are decoded."""

    schemes = ("vsphere",)
    specs = ("server_host", "path", "datacenter_path", "datastore_name")
    server_host: str
    path: str
    datacenter_path: str
    datastore_name: str

    def get_uri(self) -> str:
        """Return the URI."""
        query = urlencode({"dcPath": self.datacenter_path, "dsName": self.datastore_name})
        return f"vsphere://{self.server_host}{self.path}?{query}"

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        target, _, query = self.split(uri).partition("?")
        self.server_host, slash, path = target.partition("/")
        check_host(uri, self.server_host)
        self.path = slash + path
        if not self.path.startswith("/folder/") or self.path.endswith("/"):
            bad_uri(uri, "the path must be /folder/ and a file")
        values = parse_qs(query)
        if len(values.get("dcPath", [])) != 1 or len(values.get("dsName", [])) != 1:
            bad_uri(uri, "the query must name one datacenter (dcPath) and one datastore (dsName)")
        self.datacenter_path, self.datastore_name = values["dcPath"][0], values["dsName"][0]
