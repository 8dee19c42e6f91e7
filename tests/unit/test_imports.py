"""Imports point one way. Every import statement of both packages is read, those inside functions included."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import testtools

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "glance_mini"
STORE = "glance_mini_store"

FOUNDATION = {"conf", "domain", "metrics", "files"}
"""Parts that every other part may use: options, values and errors, counters."""

ARROWS = {
    "domain": set(),
    "conf": {"domain"},
    "operations": {"domain"},
    "policies": FOUNDATION,
    "notifications": FOUNDATION,
    "db": FOUNDATION,
    "inspection": FOUNDATION,
    "limits": FOUNDATION,
    "users": FOUNDATION,
    "transfers": FOUNDATION | {"db"},
    "layers": FOUNDATION
    | {"operations", "db", "policies", "notifications", "inspection", "limits", "transfers"},
    "imports": FOUNDATION | {"operations", "layers"},
    "workers": FOUNDATION | {"operations", "layers", "imports"},
    "api": FOUNDATION | {"operations", "layers", "policies", "services", "transfers", "users"},
}
"""What a part of glance_mini may import of the others, itself aside. A part that is not named here is free."""

KEPT_IN = {
    "gunicorn": "glance_mini/cmd/serve",
    "glance_mini.api": ("glance_mini/api", "glance_mini/cmd", "glance_mini/wsgi.py", "glance_mini/testing"),
}


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that the file imports; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> Iterator[Path]:
    """Yield every module of a package or of a part of it."""
    yield from sorted((ROOT / package).rglob("*.py"))


class TestArrows(testtools.TestCase):
    def offences(self, package, is_allowed):
        return [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in files(package)
            for name in imports_of(path)
            if not is_allowed(path.relative_to(ROOT), name)
        ]

    def test_the_store_library_knows_nothing_of_the_service(self):
        self.assertEqual([], self.offences(STORE, lambda path, name: name.split(".")[0] != SERVICE))

    def test_the_domain_needs_the_standard_library_only(self):
        allowed = sys.stdlib_module_names

        def is_allowed(path, name):
            return name.split(".")[0] in allowed or name.startswith("glance_mini.domain.")

        self.assertEqual([], self.offences("glance_mini/domain", is_allowed))

    def test_each_part_imports_only_what_lies_below_it(self):
        def is_allowed(path, name):
            top, _, rest = name.partition(".")
            part = Path(path.parts[1]).stem
            target = rest.split(".")[0]
            return top != SERVICE or part not in ARROWS or target in ARROWS[part] | {part}

        self.assertEqual([], self.offences(SERVICE, is_allowed))

    def test_only_the_commands_and_the_entry_points_know_the_api(self):
        places = KEPT_IN["glance_mini.api"]

        def is_allowed(path, name):
            return not f"{name}.".startswith("glance_mini.api.") or str(path).startswith(places)

        self.assertEqual([], self.offences(SERVICE, is_allowed))

    def test_only_the_server_knows_gunicorn(self):
        def is_allowed(path, name):
            return name.split(".")[0] != "gunicorn" or str(path).startswith(KEPT_IN["gunicorn"])

        self.assertEqual([], self.offences(SERVICE, is_allowed))

    def test_only_the_commands_know_the_global_configuration(self):
        def is_allowed(path, name):
            return name != "oslo_config.cfg.CONF" or str(path).startswith(("glance_mini/cmd", "glance_mini/wsgi.py"))

        self.assertEqual([], self.offences(SERVICE, is_allowed) + self.offences(STORE, is_allowed))
