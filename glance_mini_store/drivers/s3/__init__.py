"""The ``s3`` driver; the manual's page of the driver describes parts, memory and permissions."""

from glance_mini_store.drivers.s3.driver import S3Driver

__all__ = ["S3Driver"]
