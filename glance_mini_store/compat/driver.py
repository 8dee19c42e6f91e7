"""The base class of drivers (api-library-compat), and the options of one store as attributes.

This is for programs and drivers that exist. Write new drivers as ``glance_mini_store.driver.Driver``.
"""

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, ClassVar, Protocol

from oslo_config import cfg

from glance_mini_store.compat import capabilities, exceptions
from glance_mini_store.compat.location import Location
from glance_mini_store.compat.program import configuration
from glance_mini_store.lanes import Chunk
from glance_mini_store.locations.base import StoreLocation as Grammar
from glance_mini_store.settings import MAIN_GROUP, resolve

LOG = logging.getLogger(__name__)

MIB = 1024 * 1024

MULTI_BACKEND_OPTIONS = (
    cfg.StrOpt("store_description", help="What users see about this store in the list of stores."),
    cfg.IntOpt("weight", default=0, help="Data is read first from the store with the highest weight."),
)

Added = tuple[str, int, str, str | None, Mapping[str, object]]
"""What ``add`` returns: URI, size in bytes, md5 checksum, hex digest of the chosen algorithm, metadata."""


class Verifier(Protocol):
    """Sees all bytes of an ``add``; the caller asks it for its verdict."""

    def update(self, data: Chunk, /) -> object:
        """Take the next bytes."""


class BackendGroupConfiguration:
    """The options ``store_opts`` of the store ``config_group`` as attributes.

    A value comes from the group, else from ``[backend_defaults]``, else it is the default. Raises AttributeError for
    another name, BadStoreConfiguration for a value that cannot be used.
    """

    def __init__(
        self, store_opts: Iterable[cfg.Opt], config_group: str | None = None, conf: cfg.ConfigOpts | None = None
    ) -> None:
        self._options = {option.dest: option for option in store_opts}
        self._group = config_group or MAIN_GROUP
        self._conf = configuration(conf)

    def __getattr__(self, name: str) -> object:
        try:
            option = self._options[name]
        except KeyError:
            raise AttributeError(name) from None
        with exceptions.translated():
            value: object = getattr(resolve(self._conf, self._group, [option]), name)
        return value


class Store(capabilities.StoreCapability):
    """One store. A driver overrides ``configure_add``, ``get_schemes``, ``get``, ``get_size``, ``add`` and ``delete``.

    ``backend`` is the id of the store, None if there is one store of each driver.
    """

    OPTIONS: ClassVar[Sequence[cfg.Opt] | None] = None
    MULTI_BACKEND_OPTIONS: ClassVar[Sequence[cfg.Opt]] = MULTI_BACKEND_OPTIONS
    READ_CHUNKSIZE: ClassVar[int] = 4 * MIB
    WRITE_CHUNKSIZE: ClassVar[int] = 4 * MIB

    def __init__(self, conf: cfg.ConfigOpts, backend: str | None = None) -> None:
        super().__init__()
        self.conf = conf
        self.backend_group = backend
        self.store_location_class: type[Grammar] | None = None
        self._url_prefix: str | None = None
        options = [*(self.OPTIONS or ()), *(self.MULTI_BACKEND_OPTIONS if backend else ())]
        conf.register_opts(options, group=backend or MAIN_GROUP)
        self.store_conf = BackendGroupConfiguration(options, backend, conf)

    @property
    def url_prefix(self) -> str | None:
        """Return what the URIs of this store begin with; None if the driver does not say."""
        return self._url_prefix

    @property
    def weight(self) -> int:
        """Return the weight of the store, 0 if there is one store of each driver."""
        return int(self.conf[self.backend_group].weight) if self.backend_group else 0

    def configure(self, re_raise_bsc: bool = False) -> None:
        """Call ``configure_add``. If it raises BadStoreConfiguration, the store takes no new data, and that is logged.

        With ``re_raise_bsc`` the exception is raised.
        """
        try:
            self.configure_add()
        except exceptions.BadStoreConfiguration as error:
            if re_raise_bsc:
                raise
            self.unset_capabilities(capabilities.BitMasks.WRITE_ACCESS)
            LOG.error("store %s takes no new data: %s", self.backend_group or type(self).__name__, error.msg)

    def configure_add(self) -> None:
        """Prepare the store for ``add``; raises BadStoreConfiguration."""

    def get_schemes(self) -> Sequence[str]:
        """Return the URI schemes of the store."""
        raise NotImplementedError

    def get_store_location_class(self) -> type[Grammar]:
        """Return the class of its locations: ``StoreLocation`` in the module of the driver."""
        if self.store_location_class is None:
            self.store_location_class = sys.modules[type(self).__module__].StoreLocation
        return self.store_location_class

    @capabilities.check
    def get(
        self, location: Location, offset: int = 0, chunk_size: int | None = None, context: object = None
    ) -> tuple[Iterable[bytes], int]:
        """Return the bytes from ``offset``, at most ``chunk_size`` (None: to the end), and their number."""
        raise NotImplementedError

    def get_size(self, location: Location, context: object = None) -> int:
        """Return the size in bytes."""
        raise NotImplementedError

    @capabilities.check
    def add(
        self,
        image_id: str,
        image_file: BinaryIO,
        image_size: int,
        hashing_algo: str,
        context: object = None,
        verifier: Verifier | None = None,
    ) -> Added:
        """Store the data and return where it is. ``image_size`` 0: unknown."""
        raise NotImplementedError

    @capabilities.check
    def delete(self, location: Location, context: object = None) -> None:
        """Delete the data."""
        raise NotImplementedError

    def set_acls(
        self,
        location: Location,
        public: bool = False,
        read_tenants: Sequence[str] | None = None,
        write_tenants: Sequence[str] | None = None,
        context: object = None,
    ) -> None:
        """Let projects read directly from the backend; NotImplementedError if it has no access lists."""
        raise NotImplementedError
