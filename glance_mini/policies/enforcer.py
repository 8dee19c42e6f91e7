"""Evaluates policy rules, counts the decisions and logs refusals.

oslo.policy parses the rules. This module evaluates them, because oslo.policy inspects the signature of every part and
checks the files at every call: 0.2 ms for a decision that costs 0.03 ms here.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from oslo_config import cfg
from oslo_policy import opts, policy
from prometheus_client import Counter

from glance_mini.domain.context import Context
from glance_mini.domain.errors import ConfigurationError
from glance_mini.policies import list_rules
from glance_mini.policies.rules import LoadedRules, fingerprint, load_rules

LOG = logging.getLogger(__name__)

RELOAD_INTERVAL = 1.0
"""Seconds between two checks whether the policy files have changed."""

_ADMIN_RULE = "context_is_admin"


class Enforcer:
    """The policy rules of one process; may be used by all threads.

    Changed files take effect within ``RELOAD_INTERVAL``, completely or not at all: if they are wrong, the rules stay
    unchanged and an error is logged. ``decisions`` counts decisions by rule and ``allowed`` or ``refused``.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        decisions: Counter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load the rules of ``conf``; raises ConfigurationError."""
        opts.set_defaults(conf)  # registers [oslo_policy]
        self._conf = conf
        self._decisions = decisions
        self._clock = clock
        self._reloading = threading.Lock()
        self._look_at = clock() + RELOAD_INTERVAL
        self._fingerprint = fingerprint(conf)
        self._rules = load_rules(conf)

    @classmethod
    def from_config(cls, conf: cfg.ConfigOpts, decisions: Counter | None = None) -> Self:
        """Return the enforcer that ``conf`` describes; raises ConfigurationError."""
        return cls(conf, decisions)

    def check(self, rule: str, target: Mapping[str, object], context: Context) -> bool:
        """Return whether ``rule`` lets the caller act on ``target``; count the decision and log a refusal.

        ``target`` holds the attributes that rules compare with; leave out one that is None, so that nothing equals it.
        A rule that does not exist allows nothing.
        """
        allowed = self.would_allow(rule, target, context)
        if self._decisions is not None:
            self._decisions.labels(rule, "allowed" if allowed else "refused").inc()
        if not allowed:
            LOG.info(
                "Policy rule %s refused: target %r of project %r; roles %r, user %r, project %r, request %s",
                rule,
                target.get("id"),
                target.get("project_id"),
                ",".join(context.roles),
                context.user_id,
                context.project_id,
                context.request_id,
            )
        return allowed

    def would_allow(self, rule: str, target: Mapping[str, object], context: Context) -> bool:
        """Return the same as ``check``, without counting or logging: for rows of a list, to choose 403 or 404."""
        rules = self._current()
        if rule in rules.project_only and _is_beyond_projects(context):
            return False
        credentials = credentials_of(context)
        if rule == _ADMIN_RULE:
            return bool(credentials["is_admin"])
        return Evaluation(rules, rule, target, credentials).holds(rules.checks.get(rule))

    def context_is_admin(self, context: Context) -> bool:
        """Return whether the caller's roles make an administrator, regardless of ``context.is_admin``."""
        rules = self._current()
        if _is_beyond_projects(context):
            return False
        evaluation = Evaluation(rules, _ADMIN_RULE, {}, credentials_of(context))
        return evaluation.holds(rules.checks[_ADMIN_RULE])

    def is_default(self, rule: str) -> bool:
        """Return whether ``rule`` and all rules that it refers to mean the same as in code."""
        return rule in self._current().unchanged

    def has_rule(self, rule: str) -> bool:
        """Return whether ``rule`` exists, in code or in the operator's files."""
        return rule in self._current().checks

    def roles(self) -> frozenset[str]:
        """Return the roles that any rule asks for, in lower case."""
        return self._current().roles

    def _current(self) -> LoadedRules:
        if self._clock() >= self._look_at and self._reloading.acquire(blocking=False):
            try:
                self._look_at = self._clock() + RELOAD_INTERVAL
                self._reload_if_changed()
            finally:
                self._reloading.release()
        return self._rules

    def _reload_if_changed(self) -> None:
        try:
            seen = fingerprint(self._conf)
            if seen == self._fingerprint:
                return
            self._fingerprint = seen
            self._rules = load_rules(self._conf)
        except (ConfigurationError, OSError) as error:
            LOG.error("The policy files have changed and cannot be used; the rules stay unchanged: %s", error)
        else:
            LOG.info("The policy files have changed and were loaded.")


def get_enforcer() -> policy.Enforcer:
    """Return oslo.policy's own enforcer with our rules, on the global configuration its tools have parsed.

    Entry point of the group ``oslo.policy.enforcer``, for oslopolicy-list-redundant and oslopolicy-validator.
    """
    engine = policy.Enforcer(cfg.CONF)
    engine.register_defaults(list_rules())
    return engine


def credentials_of(context: Context) -> dict[str, object]:
    """Return the caller's values for rules. Rules compare text: a project that is None would equal a target's None."""
    values: dict[str, object] = {
        "user_id": context.user_id,
        "project_id": context.project_id,
        "tenant": context.project_id,
        "roles": list(context.roles),
        "service_roles": list(context.service_roles),
        "is_admin": context.is_admin,
        "domain_id": context.domain_id,
        "system_scope": context.system_scope,
        "user_domain_id": context.user_domain_id,
        "project_domain_id": context.project_domain_id,
    }
    for name in _OPTIONAL:
        if values[name] is None:
            del values[name]
    return values


def _is_beyond_projects(context: Context) -> bool:
    """Return whether the roles are held in a domain or in the system, which have no images."""
    return context.domain_id is not None or context.system_scope is not None


_OPTIONAL = ("user_id", "project_id", "tenant", "domain_id", "system_scope", "user_domain_id", "project_domain_id")

_Comparison = type(policy.RuleDefault("any", "project_id:%(project_id)s").check)
"""The class of checks that compare a value of the caller; oslo.policy does not export it."""

_EVALUATED = (policy.RuleCheck, policy.OrCheck, policy.AndCheck, policy.NotCheck, _Comparison)
"""The checks that are evaluated here; others, such as those of roles and of plugins, evaluate themselves."""


class Evaluation:
    """One evaluation of a rule; all rules that it refers to are compared with the same values."""

    __slots__ = ("_credentials", "_name", "_rules", "_target")

    def __init__(
        self, rules: LoadedRules, name: str, target: Mapping[str, object], credentials: dict[str, object]
    ) -> None:
        self._rules = rules
        self._name = name
        self._target = target
        self._credentials = credentials

    def holds(self, check: policy.Check | None) -> bool:
        """Return whether a parsed rule, or a part of one, holds; False for None, a rule that does not exist."""
        compared = (self._target, self._credentials, self._rules.engine, self._name)
        match check:
            case None:
                return False
            case policy.RuleCheck(match=name):
                # The context already says whether the caller is an administrator.
                if name == _ADMIN_RULE:
                    return bool(self._credentials["is_admin"])
                return self.holds(self._rules.checks.get(name))
            case policy.OrCheck(rules=parts):
                for part in parts:  # noqa: SIM110  A loop is cheaper than a generator on this path.
                    if self.holds(part) if isinstance(part, _EVALUATED) else part(*compared):
                        return True
                return False
            case policy.AndCheck(rules=parts):
                for part in parts:  # noqa: SIM110
                    if not (self.holds(part) if isinstance(part, _EVALUATED) else part(*compared)):
                        return False
                return True
            case policy.NotCheck(rule=part):
                return not self.holds(part)
            case _Comparison(kind=name, match=pattern) if name in self._credentials:
                # oslo.policy would parse the name of the value each time.
                try:
                    wanted = pattern % self._target
                except KeyError:
                    return False
                value = self._credentials[name]
                return wanted in map(str, value) if isinstance(value, list) else wanted == str(value)
        return bool(check(*compared))
