"""The values that options have in the end, as text, and where each one comes from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oslo_config import cfg

from glance_mini.conf.known import former_names, known_options, own_options
from glance_mini.conf.lines import Line, read_lines
from glance_mini_store.settings import DEFAULTS_GROUP, MAIN_GROUP

_DEFAULT = "default"


@dataclass(frozen=True)
class Effective:
    """The value of an option; ``source`` is ``default``, ``file:line``, a variable, or ``command line``."""

    section: str
    name: str
    value: str
    source: str
    is_secret: bool


def effective_options(conf: cfg.ConfigOpts) -> Iterator[Effective]:
    """Yield the options of the service and of its stores, then those of libraries and plugins that are set.

    Registers all of them with ``conf``, which can then be used for nothing else.
    """
    lines = read_lines(conf)
    own, all_known = own_options(conf), known_options(conf, lines)
    for section, options in all_known.options.items():
        for option in options.values():
            found = _find(conf, lines, section, option)
            is_own = option.dest in own.options.get(section, ())
            if is_own and found.source == _DEFAULT and section in own.stores - {MAIN_GROUP}:
                # A store takes what it lacks from the section of all stores.
                common = _find(conf, lines, DEFAULTS_GROUP, option)
                found = Effective(section, common.name, common.value, common.source, common.is_secret)
            if is_own or found.source != _DEFAULT:
                yield found


def _find(conf: cfg.ConfigOpts, lines: Sequence[Line], section: str, option: cfg.Opt) -> Effective:
    group = None if section == "DEFAULT" else section
    conf.register_opt(option, group=group)
    try:
        value = _text((conf[group] if group else conf)[option.dest])
    except ValueError as error:
        value = f"wrong: {error.__context__ or error}"
    return Effective(section, option.dest, value, _source(conf, lines, section, option), option.secret)


def _source(conf: cfg.ConfigOpts, lines: Sequence[Line], section: str, option: cfg.Opt) -> str:
    found = conf.get_location(option.dest, None if section == "DEFAULT" else section)
    match found.location if found else cfg.Locations.opt_default:
        case cfg.Locations.opt_default | cfg.Locations.set_default:
            return _DEFAULT
        case cfg.Locations.set_override | cfg.Locations.command_line:
            return "command line"
        case cfg.Locations.environment:
            return f"environment {found.detail}"
    names = [(section, option.dest), *former_names(section, option)]
    places = [str(line) for line in lines if (line.section, line.name) in names]
    return ", ".join(places if option.multi else places[-1:])


def _text(value: object) -> str:
    """Return a value as it may stand in a file; None is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}:{each}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
