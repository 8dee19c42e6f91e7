"""Finds deprecated options and names in the configuration files."""

from collections.abc import Iterator

from oslo_config import cfg

from glance_mini.conf.known import former_names, known_options
from glance_mini.conf.lines import read_lines


def find_deprecated(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Yield a sentence for each deprecated option, and each former name of one, in the files of ``conf``.

    Raises ConfigurationError if the options of a library cannot be loaded.
    """
    lines = read_lines(conf)
    known = known_options(conf, lines).options
    renamed = {
        former: f"[{section}] {option.dest}"
        for section, options in known.items()
        for option in options.values()
        for former in former_names(section, option)
    }
    for line in lines:
        if line.name is None:
            continue
        option = known.get(line.section, {}).get(line.name)
        if option is not None and option.deprecated_for_removal:
            yield f"{line}: {line.name} is deprecated. {option.deprecated_reason or ''}".rstrip()
        elif option is None and (new := renamed.get((line.section, line.name))):
            yield f"{line}: {line.name} is called {new} now."
