"""What the API must know of import methods: their names, and what each asks of an image and of its user."""

from collections.abc import Mapping

from oslo_config import cfg

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.imports import METHOD_RULES, MethodRule

_STATUSES = ("queued", "uploading")


def load_method_rules(conf: cfg.ConfigOpts) -> Mapping[str, MethodRule]:
    """Return the rules of the methods that come with the service and of the further ones that are enabled.

    Only the latter are loaded for it. Raises ConfigurationError for one that is not installed or makes no sense.
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
