"""Installs the stand-in for the program dog."""

import sys
from pathlib import Path

_DOG = Path(__file__).parent / "dog.py"


def install(root: Path) -> Path:
    """Return a program that acts as dog for a cluster whose disks are in ``root``."""
    program = root / "dog"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -ISu {_DOG} {root} "$@"\n')
    program.chmod(0o755)
    return program
