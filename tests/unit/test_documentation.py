"""What docstrings and comments cite is in the manual, and what the manual names is in the source."""

import ast
import io
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import testtools

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "doc" / "source"
CODE = ("glance_mini", "glance_mini_store", "tests", "benchmarks", "examples")

_LABEL = re.compile(r"^\s*\.\. _([^:`]+):\s*$", re.MULTILINE)
_ANCHOR = re.compile(r"(?<![\w./-])(?:api|format)-[a-z0-9]++(?:-[a-z0-9]++)*+(?!-|\.\w)")
_MODULE = re.compile(r"``(glance_mini(?:_store)?(?:[./][a-z0-9_]+)+)(?:\.[A-Z]\w*|:\w+)?``")
_NOT_IN_THE_REPOSITORY = re.compile(
    r"\b[Rr]eference,? \(?(?:section )?[0-9A]\.?[0-9]*|\bAPI reference\b|\bDESIGN\b|\bSTYLE\b|\b[Aa]ppendix [A-Z]\b"
)

Remark = tuple[str, int, str]
"""A docstring or comment: its file, the line where it begins, its text."""


def remarks(name: str, text: str) -> Iterator[Remark]:
    """Yield the docstrings and comments of the Python or YAML file ``name`` with the content ``text``."""
    if name.endswith(".py"):
        yield from _docstrings(name, text)
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield name, token.start[0], token.string
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.lstrip().startswith("#"):
                yield name, number, line


def _docstrings(name: str, text: str) -> Iterator[Remark]:
    """Yield every text that stands alone as a statement: those of attributes are docstrings too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield name, node.lineno, node.value.value


@cache
def all_remarks() -> tuple[Remark, ...]:
    files = sorted(path for folder in CODE for kind in ("*.py", "*.yaml") for path in (ROOT / folder).rglob(kind))
    return tuple(remark for path in files for remark in remarks(str(path.relative_to(ROOT)), path.read_text()))


@cache
def labels() -> tuple[tuple[str, str], ...]:
    """Return page and name of every label in the manual."""
    pages = sorted(MANUAL.rglob("*.rst"))
    return tuple((str(page.relative_to(MANUAL)), name) for page in pages for name in _LABEL.findall(page.read_text()))


class TestCitations(testtools.TestCase):
    def test_every_anchor_that_is_cited_exists(self):
        known = {name for _, name in labels()}
        dead = [
            f"{name}:{line}: {anchor}"
            for name, line, text in all_remarks()
            for anchor in _ANCHOR.findall(text)
            if anchor not in known
        ]
        self.assertEqual([], dead)

    def test_nothing_is_cited_that_is_not_in_the_repository(self):
        found = [
            f"{name}:{line}: {match[0]}"
            for name, line, text in all_remarks()
            if name != str(Path(__file__).relative_to(ROOT))
            for match in _NOT_IN_THE_REPOSITORY.finditer(text)
        ]
        self.assertEqual([], found)

    def test_citations_are_found_in_docstrings_of_all_kinds_and_in_comments(self):
        source = textwrap.dedent('''
            """A module (api-one)."""
            LIMIT = 5
            """An attribute, see api-two-parts."""
            def show():
                """Several (api-three, format-four), RFC 9110."""
                # What api-five says.
                return "api-code", "glance-api-paste.ini"  # api-six.
        ''')
        found = {anchor for _, _, text in remarks("x.py", source) for anchor in _ANCHOR.findall(text)}
        self.assertEqual({"api-one", "api-two-parts", "api-three", "format-four", "api-five", "api-six"}, found)
        found = [_ANCHOR.findall(text) for _, _, text in remarks("x.yaml", "# api-seven\na: api-no\n")]
        self.assertEqual([["api-seven"]], found)

    def test_names_of_files_are_no_citations(self):
        for text in ("glance-api-paste.ini", "api-paste.ini", "etc/api-x", "api-", "images-api-v2.md"):
            self.assertEqual([], _ANCHOR.findall(text), text)

    def test_numbers_of_other_documents_are_recognised(self):
        numbers = ("(reference 4.7)", "Reference section 12", "the API reference, 24.2", "appendix B 31")
        for text in (*numbers, "(DESIGN, quota)"):
            self.assertIsNotNone(_NOT_IN_THE_REPOSITORY.search(text), text)
        for text in ("a reference to 5 images", "RFC 9110 section 14", "this design", "cross-reference"):
            self.assertIsNone(_NOT_IN_THE_REPOSITORY.search(text), text)


class TestModules(testtools.TestCase):
    def test_every_module_that_the_manual_names_exists(self):
        groups = set(re.findall(r"^(glance_mini[\w.]*) =$", (ROOT / "setup.cfg").read_text(), re.MULTILINE))
        pages = [ROOT / "README.md", *MANUAL.rglob("*.rst")]
        named = {(page.name, name) for page in pages for name in _MODULE.findall(page.read_text())}
        self.assertNotEqual(set(), named)
        self.assertEqual(set(), {(page, name) for page, name in named if name not in groups and not _is_module(name)})


def _is_module(name: str) -> bool:
    path = ROOT / name.removesuffix(".py").replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


class TestLabels(testtools.TestCase):
    def test_no_label_stands_in_two_places(self):
        count = Counter(name for _, name in labels())
        self.assertEqual({}, {name: number for name, number in count.items() if number > 1})

    def test_anchors_of_the_contract_begin_with_their_page(self):
        wrong = [
            f"{page}: {name}"
            for page, name in labels()
            if page.startswith("api/") and not f"{name}-".startswith(f"api-{Path(page).stem}-")
        ]
        self.assertEqual([], wrong)

    def test_every_page_of_the_contract_has_an_anchor_of_its_own(self):
        known = set(labels())
        pages = [str(page.relative_to(MANUAL)) for page in (MANUAL / "api").glob("*.rst")]
        self.assertEqual([], [page for page in pages if (page, f"api-{Path(page).stem}") not in known])
