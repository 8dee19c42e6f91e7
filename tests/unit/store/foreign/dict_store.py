"""A driver such as others write: data in a dictionary, hashed while it is read."""

import hashlib

from oslo_config import cfg

from glance_mini_store.compat import capabilities, driver, exceptions, location

DATA = {}
MADE = []


class StoreLocation(location.StoreLocation):
    def process_specs(self):
        self.name = self.specs.get("name")

    def get_uri(self):
        return f"dict://{self.name}"

    def parse_uri(self, uri):
        self.validate_schemas(uri, valid_schemas=("dict://",))
        self.name = uri.removeprefix("dict://")


class Store(driver.Store):
    """Reads the whole only, and is made for each call."""

    _CAPABILITIES = capabilities.BitMasks.RW_ACCESS
    OPTIONS = [
        cfg.StrOpt("dict_name"),
        cfg.StrOpt("dict_password"),
        cfg.StrOpt("dict_user", secret=True),
        cfg.IntOpt("dict_size", default=65536),
        cfg.MultiStrOpt("dict_more"),
    ]

    def __init__(self, conf, backend=None):
        super().__init__(conf, backend)
        MADE.append(self)

    def configure_add(self):
        if self.store_conf.dict_name is None:
            raise exceptions.BadStoreConfiguration(f"no dict_name for {self.store_conf.dict_password}")

    def get_schemes(self):
        return ("dict",)

    @capabilities.check
    def get(self, location, offset=0, chunk_size=None, context=None):
        data = self._data(location)
        end = None if chunk_size is None else offset + chunk_size
        part = data[offset:end]
        step = self.store_conf.dict_size
        return (part[start : start + step] for start in range(0, len(part), step)), len(part)

    def get_size(self, location, context=None):
        return len(self._data(location))

    @capabilities.check
    def add(self, image_id, image_file, image_size, hashing_algo, context=None, verifier=None):
        if image_id in DATA:
            raise exceptions.Duplicate(image=image_id)
        checksum, digest, data = hashlib.md5(), hashlib.new(hashing_algo), b""
        while block := image_file.read(self.store_conf.dict_size):
            checksum.update(block)
            digest.update(block)
            data += block
        DATA[image_id] = data
        metadata = {"store": self.backend_group, "more": self.store_conf.dict_more or []}
        return f"dict://{image_id}", len(data), checksum.hexdigest(), digest.hexdigest(), metadata

    @capabilities.check
    def delete(self, location, context=None):
        self._data(location)
        del DATA[location.store_location.name]

    def _data(self, location):
        try:
            return DATA[location.store_location.name]
        except KeyError:
            raise exceptions.NotFound(f"nothing at {location.get_store_uri()}") from None


class RandomStore(Store):
    """Reads parts, is reusable, and has access lists."""

    _CAPABILITIES = capabilities.BitMasks.RW_ACCESS | 7 | capabilities.BitMasks.DRIVER_REUSABLE

    def set_acls(self, location, public=False, read_tenants=None, write_tenants=None, context=None):
        self._data(location)
        DATA["acl"] = (location.store_location.name, public, read_tenants)


class OffsetStore(Store):
    """Reads from an offset to the end only."""

    _CAPABILITIES = capabilities.BitMasks.RW_OFFSET


class ReadsAnnounced(Store):
    """Reads as many bytes as were announced, and does not look for the end."""

    @capabilities.check
    def add(self, image_id, image_file, image_size, hashing_algo, context=None, verifier=None):
        data = b""
        while len(data) < image_size:
            data += image_file.read(image_size - len(data))
        DATA[image_id] = data
        return f"dict://{image_id}", len(data), "", "", {}


class LosesBytes(Store):
    @capabilities.check
    def get(self, location, offset=0, chunk_size=None, context=None):
        return iter([self._data(location)[:-1]]), len(self._data(location))


class Fails(Store):
    """Raises what its name says, with a secret in the text."""

    def get_size(self, location, context=None):
        name = location.store_location.name
        kind = getattr(exceptions, name, None) or {"OSError": OSError, "KeyError": KeyError}[name]
        raise kind(f"{self.store_conf.dict_password} is wrong at swift://u:key@host/{name}?token=abc")


class NotADriver:
    """Has nothing."""


def choose(conf, backend=None):
    """Return the driver that the configuration asks for."""
    return RandomStore(conf, backend=backend)


choose.OPTIONS = Store.OPTIONS
