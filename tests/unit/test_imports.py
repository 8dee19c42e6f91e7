"""Imports point one way. Every import statement of both packages is read, those inside functions included."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import testtools

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "glance_mini"
STORE = "glance_mini_store"

FLOORS: dict[str, dict[str, set[str]]] = {
    "ground: values, and what needs nothing but them": {
        "background": set(),
        "tls": set(),
        "domain": set(),
        "metrics": set(),
        "operations": {"domain"},
        "policies": {"domain"},
        "plugins": {"domain"},
        "conf": {"domain", STORE},
        "fetching": {"domain", STORE},
        "standalone": {"background", "domain", "conf"},
        "content": {"domain", "metrics", STORE},
    },
    "data, and what follows from its changes": {
        "db": {"domain", "operations", "plugins", "tls"},
        "registry": {"domain", "operations", "db", "metrics", "background"},
        "notifications": {"domain", "operations", "db", "metrics", "background"},
        "maintenance": {"domain", "operations", "db", "metrics", "background", STORE},
        "cache": {"domain", "operations", "content", "db", "metrics", "background", STORE},
        "migration": {"domain", "operations", "db", "conf", STORE},
    },
    "what is done: the seven layers, and the work off the API": {
        "layers": {
            *("domain", "operations", "policies", "plugins", "content", "metrics"),
            *("db", "notifications", "maintenance", "cache", STORE),
        },
        "workers": {"domain", "operations", "db", "layers", "metrics", "plugins", "background", STORE},
        "imports": {
            *("domain", "operations", "plugins", "content", "fetching", "metrics"),
            *("db", "layers", "workers", STORE),
        },
        "verification": {"domain", "operations", "content", "db", STORE},
        "jobs": {
            *("domain", "operations", "content", "db", "maintenance", "verification"),
            *("layers", "workers", "imports", STORE),
        },
    },
    "the way in": {
        "event_stream": {"domain", "operations", "db", "metrics"},
        "api": {
            *(
                "event_stream",
                "background",
                "domain",
                "operations",
                "policies",
                "conf",
                "standalone",
                "content",
                "metrics",
            ),
            *("layers", "imports", STORE),
        },
    },
    "the one place that composes": {
        "bootstrap": {
            *("background", "domain", "conf", "content", "fetching", "metrics", "policies"),
            *(
                "operations",
                "event_stream",
                "db",
                "registry",
                "notifications",
                "maintenance",
                "cache",
                "layers",
                "workers",
                "imports",
                "verification",
                STORE,
            ),
        },
    },
}
"""What a part of the service may import of the others, the store library among them; itself aside."""

ARROWS = {part: allowed for floor in FLOORS.values() for part, allowed in floor.items()}


TOP = {"cmd", "testing", "wsgi"}
"""Parts that may import everything, and that nothing imports but each other."""

GLOBAL_CONFIGURATION = (
    "glance_mini/cmd/",
    "glance_mini/wsgi.py",
    "glance_mini/layers/quota/limits.py",
    "glance_mini/policies/enforcer.py",
    "glance_mini_store/compat/program.py",
)
"""Who may know the global configuration: the programs, two modules for libraries that read no other one
(oslo.limit, and the command line tools of oslo.policy), and one for programs that use the names of another storage
library."""


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of the syntax tree of a file."""
    return tuple(ast.walk(ast.parse(path.read_text(), str(path))))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that the file imports; ``from a import b`` gives ``a.b``."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> Iterator[Path]:
    """Yield every module of a package or of a part of it."""
    yield from sorted((ROOT / package).rglob("*.py"))


def part_of(path: Path) -> str:
    """Return the part of the service that a module belongs to: a folder, or a module beside the folders."""
    return path.relative_to(ROOT / SERVICE).parts[0].removesuffix(".py")


class TestArrows(testtools.TestCase):
    def offences(self, package, is_allowed):
        """Return a line for each import in ``package`` that ``is_allowed`` refuses."""
        return [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in files(package)
            for name in imports_of(path)
            if not is_allowed(path, name)
        ]

    def test_the_store_library_knows_nothing_of_the_service(self):
        self.assertEqual([], self.offences(STORE, lambda path, name: name.split(".")[0] != SERVICE))

    def test_the_domain_needs_the_standard_library_only(self):
        def is_allowed(path, name):
            # _typeshed is what type checkers know of the standard library.
            own = name.startswith(("glance_mini.domain.", "_typeshed."))
            return own or name.split(".")[0] in sys.stdlib_module_names

        self.assertEqual([], self.offences("glance_mini/domain", is_allowed))

    def test_each_part_imports_only_what_lies_below_it(self):
        def is_allowed(path, name):
            top, _, rest = name.partition(".")
            target = rest.split(".")[0] if top == SERVICE else top
            part = part_of(path)
            if top not in (SERVICE, STORE) or part in TOP:
                return True
            return target == part or target in ARROWS.get(part, ())

        self.assertEqual([], self.offences(SERVICE, is_allowed))

    def test_the_table_has_no_part_that_is_gone_and_lacks_none(self):
        parts = {part_of(path) for path in files(SERVICE)} - {"__init__"}
        self.assertEqual(parts, set(ARROWS) | TOP)

    def test_the_arrows_run_in_no_circle(self):
        order = list(TopologicalSorter(ARROWS).static_order())
        self.assertLess(order.index("domain"), order.index("layers"))

    def test_only_the_server_knows_gunicorn(self):
        def is_allowed(path, name):
            return name.split(".")[0] != "gunicorn" or (ROOT / "glance_mini/cmd/serve") in path.parents

        self.assertEqual([], self.offences(SERVICE, is_allowed))

    def test_all_imports_are_absolute(self):
        def is_absolute(path, name):
            return not name.startswith(".")

        self.assertEqual([], self.offences(SERVICE, is_absolute) + self.offences(STORE, is_absolute))

    def test_only_those_who_must_know_the_global_configuration(self):
        users = [
            str(path.relative_to(ROOT))
            for path in [*files(SERVICE), *files(STORE)]
            for node in nodes_of(path)
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "cfg.CONF"
        ]
        self.assertEqual([], [user for user in users if not user.startswith(GLOBAL_CONFIGURATION)])


def picture() -> str:
    """Return the table of arrows, a floor at a time."""
    lines = []
    for floor, parts in FLOORS.items():
        lines.append(f"\n{floor}")
        lines += [f"  {part:<14} → {', '.join(sorted(allowed)) or 'nothing'}" for part, allowed in parts.items()]
    return "\n".join(lines).strip()


if __name__ == "__main__":
    print(picture())
