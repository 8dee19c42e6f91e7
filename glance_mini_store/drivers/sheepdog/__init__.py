"""The ``sheepdog`` driver: image data as virtual disks (VDIs) of a Sheepdog cluster, through its ``dog`` program."""

from glance_mini_store.drivers.sheepdog.driver import SheepdogDriver

__all__ = ["SheepdogDriver"]
