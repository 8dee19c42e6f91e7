"""The rules of import methods for the API: the image status and the request fields that each requires."""

from collections.abc import Mapping

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.imports import METHOD_RULES, MethodRule

_STATUSES = ("queued", "uploading")


def load_method_rules(conf: cfg.ConfigOpts) -> Mapping[str, MethodRule]:
    """Return the rules of the built-in methods and of all other enabled methods, by name.

    Only the other ones are loaded. Raises ConfigurationError if one is not installed or its rule is not valid.
    """
    further = [name for name in conf.enabled_import_methods if name not in METHOD_RULES]
    if not further:
        return METHOD_RULES
    from glance_mini.imports.methods import METHODS, OPTION

    found = METHODS.load(further, OPTION)
    rules = {name: MethodRule(method.image_status, tuple(method.fields)) for name, method in found.items()}
    for name, rule in rules.items():
        if rule.image_status not in _STATUSES:
            reason = f"Import method {name} is for {rule.image_status} images; only {' and '.join(_STATUSES)} can be."
            raise ConfigurationError(reason=reason)
    return {**METHOD_RULES, **rules}
