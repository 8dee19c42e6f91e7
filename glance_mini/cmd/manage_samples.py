"""``glance-mini-manage samples``: sample files of the configuration, and completion files for shells."""

import argparse
from importlib import resources
from pathlib import Path

from glance_mini.cmd.console import MANAGE, Subparsers, add_command
from glance_mini.cmd.output import Rows
from glance_mini.domain.errors import Invalid

SAMPLES = ("glance-mini.conf.sample", "policy.yaml.sample", "glance-mini-paste.ini", "schema-image.json")
"""The files of the package that are samples; each may be changed and named by an option."""

SHELLS = ("bash", "fish", "zsh")


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    parser = add_command(
        commands,
        "samples",
        _samples,
        text="write sample files and completion files to a directory",
        description="Write the sample files of configuration and policy, the middleware as it is used, the default "
        "metadata definitions and completion files for shells to a directory. Files that differ stay, and the command "
        "fails.",
        example="samples /usr/share/glance-mini",
        question=None,
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="the directory; it is made if it is missing")


def _samples(arguments: argparse.Namespace) -> Rows:
    files = _contents()
    root: Path = arguments.directory
    paths = {root / name: text for name, text in files.items()}
    other = [path for path, text in paths.items() if path.exists() and path.read_text(encoding="utf-8") != text]
    if other:
        raise Invalid(reason=f"{other[0]} exists and is another file; nothing was written.")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Rows(("file",), [(str(path),) for path in paths])


def _contents() -> dict[str, str]:
    """Return the text of each file by its path below the directory."""
    package = resources.files("glance_mini") / "etc"
    found = {name: (package / name).read_text(encoding="utf-8") for name in SAMPLES}
    definitions = sorted((each.name, each) for each in (package / "metadefs").iterdir())
    found |= {f"metadefs/{name}": each.read_text(encoding="utf-8") for name, each in definitions}
    return found | {f"completion/{shell}": _completion(shell) for shell in SHELLS}


def _completion(shell: str) -> str:
    from argcomplete.shell_integration import shellcode

    return str(shellcode([MANAGE], shell=shell))
