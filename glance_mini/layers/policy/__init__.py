"""The layer that asks the policy rules."""

from glance_mini.layers.policy.layer import RULES, PolicyLayer

__all__ = ["RULES", "PolicyLayer"]
