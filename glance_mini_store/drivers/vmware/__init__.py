"""The ``vmware`` driver: image data as files in datastores of a vCenter server or an ESXi host."""

from glance_mini_store.drivers.vmware.driver import VmwareDriver

__all__ = ["VmwareDriver"]
