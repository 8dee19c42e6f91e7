"""The rules in force: the defaults in code, with the changes in the operator's files.

A set of rules is loaded completely and never changed afterwards, so that no request sees a half-loaded set. Any mistake
in the files is an error here: a rule that cannot be parsed must not become another rule.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oslo_config import cfg
from oslo_policy import policy

from glance_mini.domain.errors import ConfigurationError
from glance_mini.policies import list_rules

Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class LoadedRules:
    """Parsed rules by name; ``engine`` is oslo.policy's enforcer with them, for checks that need it.

    ``roles`` are those that rules ask for, in lower case. ``unchanged`` are the rules that mean the same as in code,
    ``project_only`` those that refuse the system scope, and with it the domain scope.
    """

    checks: Mapping[str, policy.Check]
    roles: frozenset[str]
    unchanged: frozenset[str]
    project_only: frozenset[str]
    engine: policy.Enforcer


def load_rules(conf: cfg.ConfigOpts) -> LoadedRules:
    """Return the rules as configured in [oslo_policy]; reads files; raises ConfigurationError."""
    engine = policy.Enforcer(conf)
    engine.register_defaults(list_rules())
    _require_named_file(conf)
    for path in policy_files(conf):
        _check_file(path)
    engine.load_rules()
    checks = dict(engine.rules)
    reached = {name: _reached(name, checks) for name in checks}
    _check_references(reached)
    defaults = engine.registered_rules
    same = {name for name, rule in defaults.items() if str(checks[name]) == str(rule.check)}
    return LoadedRules(
        checks=checks,
        roles=frozenset(
            part.match.lower() for check in checks.values() for part in _parts(check) if part.kind == "role"
        ),
        unchanged=frozenset(name for name in same if reached[name] <= same),
        project_only=frozenset(name for name, rule in defaults.items() if "system" not in rule.scope_types),
        engine=engine,
    )


def policy_files(conf: cfg.ConfigOpts) -> list[str]:
    """Return the policy files that exist, in the order in which they take effect."""
    found = [conf.find_file(conf.oslo_policy.policy_file)]
    for directory in filter(None, map(conf.find_file, conf.oslo_policy.policy_dirs)):
        names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
        found += [path for name in names if os.path.isfile(path := os.path.join(directory, name))]
    return [path for path in found if path]


def fingerprint(conf: cfg.ConfigOpts) -> Fingerprint:
    """Return a value that differs after a policy file was changed, added or removed."""
    return tuple(
        (path, status.st_ino, status.st_mtime_ns, status.st_size)
        for path in policy_files(conf)
        for status in [os.stat(path)]
    )


def _require_named_file(conf: cfg.ConfigOpts) -> None:
    name = conf.oslo_policy.policy_file
    where = conf.get_location("policy_file", "oslo_policy")
    is_named = where is not None and where.location not in (
        cfg.Locations.opt_default,
        cfg.Locations.set_default,
    )
    if is_named and not conf.find_file(name):
        raise ConfigurationError(reason=f"[oslo_policy] policy_file: {name} does not exist.")


def _check_file(path: str) -> None:
    try:
        with open(path, encoding="utf-8") as file:
            rules = policy.parse_file_contents(file.read())
    except (OSError, ValueError) as error:
        raise ConfigurationError(reason=f"Policy file {path} cannot be read: {error}") from error
    if not isinstance(rules, dict):
        raise ConfigurationError(reason=f"Policy file {path} is not a mapping of rule names to rules.")
    for name, text in rules.items():
        if not isinstance(text, str):
            raise ConfigurationError(reason=f"Policy file {path}: rule {name} is not a string.")
        # oslo.policy reads a rule that it cannot parse as "!", which refuses every caller.
        if str(policy.RuleDefault(name, text).check) == "!" and text.strip() != "!":
            raise ConfigurationError(reason=f"Policy file {path}: rule {name} cannot be understood: {text}")


def _check_references(reached: Mapping[str, frozenset[str]]) -> None:
    for name, others in sorted(reached.items()):
        if name in others:
            raise ConfigurationError(reason=f"Policy rule {name} refers to itself.")
        for other in sorted(others - reached.keys()):
            raise ConfigurationError(reason=f"Policy rule {name} refers to {other}, which does not exist.")


def _reached(name: str, checks: Mapping[str, policy.Check]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        check = checks.get(waiting.pop())
        new = {part.match for part in _parts(check) if isinstance(part, policy.RuleCheck)} - seen
        seen |= new
        waiting += new
    return frozenset(seen)


def _parts(check: policy.Check | None) -> Iterator[policy.Check]:
    """Yield the comparisons of a rule: role:…, rule:… and the like."""
    if isinstance(check, policy.Check):
        yield check
    for part in getattr(check, "rules", ()):
        yield from _parts(part)
    if isinstance(check, policy.NotCheck):
        yield from _parts(check.rule)
