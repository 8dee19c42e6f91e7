"""Finds the rules in the operator's policy files that can be removed."""

from collections.abc import Iterator

from oslo_config import cfg
from oslo_policy import opts, policy

from glance_mini.policies import list_rules
from glance_mini.policies.rules import policy_files


def find_superfluous(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Yield a sentence for each rule in the policy files that means the same as in code, or that nothing asks for.

    The files must be usable (``rules.load_rules``).
    """
    opts.set_defaults(conf)  # registers [oslo_policy]
    defaults = {rule.name: rule for rule in list_rules()}
    written = [(path, name, text) for path in policy_files(conf) for name, text in _read(path).items()]
    for path, name, text in written:
        default = defaults.get(name)
        if default is None:
            if not any(f"rule:{name}" in other.replace("(", " ").replace(")", " ").split() for _, _, other in written):
                yield f"{path}: nothing asks for the rule {name}."
        elif default.deprecated_for_removal:
            yield f"{path}: the rule {name} is deprecated: {default.deprecated_reason}"
        elif str(policy.RuleDefault(name, text).check) == str(default.check):
            yield f"{path}: the rule {name} repeats the default."


def _read(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        rules: dict[str, str] = policy.parse_file_contents(file.read())
    return rules
