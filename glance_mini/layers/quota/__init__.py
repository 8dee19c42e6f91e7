"""The layer for the limits of the service, the project and the image."""

from glance_mini.layers.quota.layer import QuotaLayer

__all__ = ["QuotaLayer"]
