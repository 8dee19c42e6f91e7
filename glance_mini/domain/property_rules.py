"""The parsed property protection file: who may create, read, update and delete which custom properties.

This module holds only the rules; the layer applies them to images. Source: api-protection-file.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from glance_mini.domain.errors import ConfigurationError
from glance_mini.domain.image import RESERVED_NAMESPACE

ROLES = "roles"
POLICIES = "policies"
ACTIONS = ("create", "read", "update", "delete")
EVERYBODY = "@"
NOBODY = "!"

CheckPolicy = Callable[[str], bool]

_REMEMBERED_NAMES = 1024
_OPTION = re.compile(r"([^=:]*?)\s*[=:]\s*(.*)")


class PropertyRulesError(ConfigurationError):
    """The property protection file cannot be read or is wrong."""

    code = "configuration.property_rules"
    template = "Property protection file {file}{where}: {reason}"


@dataclass(frozen=True)
class Section:
    """One section: a pattern for property names and, for each action, who is allowed.

    ``allowed`` has a set of role names (lower case) or policy rule names for each action; ``@`` in it means
    everybody.
    """

    pattern: re.Pattern[str]
    allowed: Mapping[str, frozenset[str]]


_OWN_PROPERTIES = Section(re.compile(f"^{RESERVED_NAMESPACE}"), dict.fromkeys(ACTIONS, frozenset({EVERYBODY})))
"""The service's own properties, which no file can protect. The pattern matches only at the start of a name."""


class PropertyRules:
    """The sections in the order of the file; the first whose pattern is found in a name applies."""

    def __init__(self, sections: Iterable[Section], rule_format: str) -> None:
        self._sections = (_OWN_PROPERTIES, *sections)
        self._by_policy = rule_format == POLICIES
        self._find = lru_cache(_REMEMBERED_NAMES)(self._search)

    def allows(self, action: str, name: str, roles: Iterable[str], check_policy: CheckPolicy) -> bool:
        """Return whether a caller may do ``action`` (one of ``ACTIONS``) to the property ``name``.

        ``roles`` are the caller's roles in lower case, with those of a service token; ``check_policy`` returns
        whether a policy rule allows the caller and is called only in the format ``policies``. A name that
        no section matches is refused.
        """
        section = self._find(name)
        if section is None:
            return False
        allowed = section.allowed[action]
        if EVERYBODY in allowed:
            return True
        if self._by_policy:
            return any(map(check_policy, allowed))
        return not allowed.isdisjoint(roles)

    def roles(self) -> frozenset[str]:
        """Return the names of the roles in the rules, in lower case; none if the rules are policy rules."""
        if self._by_policy:
            return frozenset()
        named = (names for section in self._sections for names in section.allowed.values())
        return frozenset[str]().union(*named) - {EVERYBODY, NOBODY}

    def _search(self, name: str) -> Section | None:
        return next((section for section in self._sections if section.pattern.search(name)), None)


def load(path: str | Path, rule_format: str, is_policy: CheckPolicy | None = None) -> PropertyRules:
    """Return the rules in the file ``path``; arguments and errors as for ``parse``."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PropertyRulesError(file=path, where="", reason=f"cannot be read: {error}") from error
    return parse(text, rule_format, file=str(path), is_policy=is_policy)


def parse(text: str, rule_format: str, file: str = "<text>", is_policy: CheckPolicy | None = None) -> PropertyRules:
    """Return the rules in ``text``; its values are in ``rule_format``, ``roles`` or ``policies``.

    ``is_policy`` returns whether a policy rule of that name exists; None accepts every name. Raises
    PropertyRulesError with ``file``, section and line.
    """
    if rule_format not in (ROLES, POLICIES):
        raise PropertyRulesError(file=file, where="", reason=f"there is no rule format '{rule_format}'")
    drafts = _Reader(file).read(text)
    sections = [draft.finish(rule_format, is_policy) for draft in drafts]
    return PropertyRules((s for s in sections if not s.pattern.pattern.startswith(RESERVED_NAMESPACE)), rule_format)


@dataclass
class _Draft:
    """A section while it is read: its first line, and its options with their line numbers."""

    file: str
    name: str
    line: int
    options: dict[str, tuple[int, str]]

    def error(self, line: int, reason: str) -> PropertyRulesError:
        return PropertyRulesError(file=self.file, where=f", section [{self.name}], line {line}", reason=reason)

    def finish(self, rule_format: str, is_policy: CheckPolicy | None) -> Section:
        missing = [action for action in ACTIONS if action not in self.options]
        if missing:
            raise self.error(self.line, f"lacks {', '.join(missing)}; an empty value allows nobody")
        try:
            pattern = re.compile(self.name)
        except re.error as error:
            raise self.error(self.line, f"is not a regular expression: {error}") from error
        return Section(pattern, {action: self._allowed(action, rule_format, is_policy) for action in ACTIONS})

    def _allowed(self, action: str, rule_format: str, is_policy: CheckPolicy | None) -> frozenset[str]:
        line, value = self.options[action]
        names = {name.strip() for name in value.split(",")} - {""}
        if names >= {EVERYBODY, NOBODY}:
            raise self.error(line, f"{action} allows both everybody (@) and nobody (!)")
        if rule_format == POLICIES and "," in value:
            raise self.error(line, f"{action} takes one policy rule, but '{value}' names several")
        if NOBODY in names:
            return frozenset()
        if rule_format == ROLES:
            return frozenset(name.lower() for name in names)
        unknown = sorted(name for name in names - {EVERYBODY} if is_policy and not is_policy(name))
        if unknown:
            raise self.error(line, f"{action} names the policy rule {unknown[0]}, which does not exist")
        return frozenset(names)


class _Reader:
    """Reads the INI format line by line: configparser loses line numbers and treats DEFAULT specially."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._drafts: list[_Draft] = []
        # The last option and its indentation: lines with a deeper indentation continue its value.
        self._option: tuple[str, int] | None = None

    def read(self, text: str) -> list[_Draft]:
        for number, line in enumerate(text.split("\n"), start=1):
            content = line.strip()
            if content and content[0] not in "#;":
                self._take(number, content, indent=len(line) - len(line.lstrip()))
        return self._drafts

    def _take(self, number: int, content: str, indent: int) -> None:
        if self._option and indent > self._option[1]:
            self._continue(self._option[0], content)
        elif content.startswith("["):
            self._begin_section(number, content)
        else:
            self._add_option(number, content, indent)

    def _continue(self, option: str, content: str) -> None:
        line, value = self._drafts[-1].options[option]
        self._drafts[-1].options[option] = (line, f"{value} {content}".strip())

    def _begin_section(self, number: int, content: str) -> None:
        name = content[1:-1]
        draft = _Draft(self._file, name, number, {})
        if not content.endswith("]") or not name:
            raise self._error(number, f"'{content}' is not a section; it must be a regular expression in [ and ]")
        for other in self._drafts:
            if other.name == name:
                raise draft.error(number, f"is already defined on line {other.line}")
        self._drafts.append(draft)
        self._option = None

    def _add_option(self, number: int, content: str, indent: int) -> None:
        if not self._drafts:
            raise self._error(number, f"'{content}' is before the first section")
        draft = self._drafts[-1]
        match = _OPTION.fullmatch(content)
        if match is None:
            raise draft.error(number, f"'{content}' is not an option; it must be name = value")
        name = match[1].lower()
        if name not in ACTIONS:
            raise draft.error(number, f"there is no option '{name}', only {', '.join(ACTIONS)}")
        if name in draft.options:
            raise draft.error(number, f"{name} is already defined on line {draft.options[name][0]}")
        draft.options[name] = (number, match[2])
        self._option = (name, indent)

    def _error(self, number: int, reason: str) -> PropertyRulesError:
        return PropertyRulesError(file=self._file, where=f", line {number}", reason=reason)
