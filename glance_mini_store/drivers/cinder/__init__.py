"""The ``cinder`` driver: a volume of Cinder for each image; the operator's page of it says how."""

from glance_mini_store.drivers.cinder.driver import CinderDriver

__all__ = ["CinderDriver"]
