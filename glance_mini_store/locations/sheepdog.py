"""``sheepdog://addr:port:image`` and the older ``sheepdog://image``: a URI grammar without a driver."""

from glance_mini_store.locations.base import StoreLocation, bad_uri, check_host


class SheepdogLocation(StoreLocation):
    """``addr`` and ``port`` (digits) are None in the older form."""

    schemes = ("sheepdog",)
    specs = ("addr", "port", "image")
    addr: str | None
    port: str | None
    image: str

    def get_uri(self) -> str:
        """Return the URI in the form its parts allow."""
        return f"sheepdog://{self.image}" if self.addr is None else f"sheepdog://{self.addr}:{self.port}:{self.image}"

    def parse_uri(self, uri: str) -> None:
        """Set the attributes; raises BadStoreUri."""
        server, colon, self.image = self.split(uri).rpartition(":")
        self.addr = self.port = None
        if colon:
            self.addr, separator, self.port = server.rpartition(":")
            if not separator:
                bad_uri(uri, "it must be an address, a port and an image, or an image alone")
            check_host(uri, server)
        if not self.image or "/" in self.image:
            bad_uri(uri, "the image is missing or malformed")
