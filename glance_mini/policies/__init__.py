"""The policy rules with their defaults, one file per resource; operators override them in ``policy.yaml``.

``enforcer`` evaluates rules; the policy layer says which operation needs which rule.
"""

from oslo_policy import policy

from glance_mini.policies import base, cache, data, events, images, links, locations, members, metadefs, stores, tasks


def list_rules() -> list[policy.RuleDefault]:
    """Return every rule with its default, in the order of the sample file.

    Entry point of the group ``oslo.policy.policies``, for the tools of oslo.policy.
    """
    modules = (base, images, data, links, locations, members, stores, tasks, events, cache, metadefs)
    return [rule for module in modules for rule in module.RULES]
