"""The ``rbd`` driver: an image of Ceph for each image; the operator's page of it says how."""

from glance_mini_store.drivers.rbd.driver import RbdDriver

__all__ = ["RbdDriver"]
