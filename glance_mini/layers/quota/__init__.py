"""The limits of the service, the project and the image, as a layer."""

from glance_mini.layers.quota.layer import QuotaLayer

__all__ = ["QuotaLayer"]
