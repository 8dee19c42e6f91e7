"""What packages use in their tests, this one too: the contracts of layers and of backends, doubles, samples."""

from glance_mini.testing.data_access import DataAccessContract
from glance_mini.testing.layers import LayerContract

__all__ = ["DataAccessContract", "LayerContract"]
