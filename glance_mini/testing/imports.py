"""The contracts of import methods and import plugins as suites of tests, for packages that bring one.

```python
class TestShelf(ImportMethodContract, unittest.TestCase):
    def make_method(self):
        return Shelf(self.directory)

    def make_request(self):
        return {"file": "disk"}

    def expected_data(self):
        return DATA
```
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from glance_mini.domain.errors import GlanceMiniError
from glance_mini.domain.image import Image
from glance_mini.domain.imports import ImportRequest
from glance_mini.imports.methods import ImportMethod, Source
from glance_mini.imports.plugins.base import Attributes, Formats, ImportPlugin, PluginResult, StagedFile
from glance_mini.testing.samples import make_image, make_job
from glance_mini.workers.base import JobFailed

MIB = 1024 * 1024
LARGEST_BLOCK = 4 * MIB
STATUSES = ("queued", "uploading")


class Stop(Exception):
    """What stops an import in these tests."""


class ImportMethodContract:
    """Mix into a ``unittest.TestCase``; write ``make_method``, ``make_request`` and ``expected_data``."""

    def make_method(self) -> ImportMethod:
        """Return the method, configured so that ``make_request`` succeeds."""
        raise NotImplementedError

    def make_request(self) -> Mapping[str, str]:
        """Return the fields of a request, without ``name``, that imports ``expected_data``."""
        raise NotImplementedError

    def expected_data(self) -> bytes:
        """Return the data that the request imports."""
        raise NotImplementedError

    def hopeless_requests(self) -> list[Mapping[str, str]]:
        """Return the fields of requests that no further attempt can make succeed; none by default."""
        return []

    def open_source(
        self, fields: Mapping[str, str] | None = None, pause: Callable[[float], object] = lambda seconds: None
    ) -> Source:
        """Return the source of a request."""
        method = self.make_method()
        given = self.make_request() if fields is None else fields
        request = ImportRequest(method={"name": method.name, **given})
        return method.open(make_job(), request, make_image(status="importing", locations=()), pause)

    def test_it_says_what_requests_must_have(self) -> None:
        method = self.make_method()
        assert isinstance(method.name, str) and method.name, "a method needs a name"
        assert method.image_status in STATUSES, f"image_status must be one of {STATUSES}"
        fields: object = method.fields
        assert isinstance(fields, tuple), "fields is a tuple of names"
        lacking = set(method.fields) - set(self.make_request())
        assert not lacking, f"the request of this test lacks {lacking}"
        assert all(isinstance(value, str) for value in self.make_request().values()), "fields are strings"

    def test_all_data_comes_in_small_blocks(self) -> None:
        source = self.open_source()
        digest, size = hashlib.sha256(), 0
        for block in source.chunks:
            assert 0 < len(block) <= LARGEST_BLOCK, f"a block has {len(block)} bytes"
            digest.update(block)
            size += len(block)
        assert digest.digest() == hashlib.sha256(self.expected_data()).digest(), "other data came"
        assert source.size in (None, size), f"{source.size} bytes were announced, {size} came"
        for algorithm, value in source.expected_hashes.items():
            assert hashlib.new(algorithm, self.expected_data()).hexdigest() == value, f"{algorithm} is wrong"

    def test_it_may_be_opened_again(self) -> None:
        _close(self.open_source())
        first, second = self.open_source(), self.open_source()
        for source in (second, first):
            assert b"".join(source.chunks) == self.expected_data(), "a second attempt got other data"

    def test_reading_may_stop_early(self) -> None:
        source = self.open_source()
        next(source.chunks, None)
        _close(source)
        assert b"".join(self.open_source().chunks) == self.expected_data()

    def test_local_file_has_the_same_data(self) -> None:
        source = self.open_source()
        if source.path is not None:
            assert source.path.read_bytes() == self.expected_data(), "the file has other data"
        _close(source)

    def test_what_the_image_gets_is_known(self) -> None:
        source = self.open_source()
        _check_values(source.attributes, Formats.__annotations__, source.properties)
        _close(source)

    def test_a_stop_passes(self) -> None:
        def stop(seconds: float) -> None:
            raise failure

        failure = Stop()
        try:
            _close(self.open_source(pause=stop))
        except Stop as error:
            assert error is failure

    def test_hopeless_requests_fail_for_good(self) -> None:
        for fields in self.hopeless_requests():
            try:
                source = self.open_source(fields)
                _close(source)
            except JobFailed:
                continue
            raise AssertionError(f"{fields} did not fail")


class ImportPluginContract:
    """Mix into a ``unittest.TestCase``; write ``make_plugin`` and ``make_data``."""

    roles: ClassVar[tuple[str, ...]] = ("member", "reader")

    def make_plugin(self) -> ImportPlugin:
        """Return the plugin, configured so that it does something to ``make_data``."""
        raise NotImplementedError

    def make_data(self) -> bytes:
        """Return data that the plugin changes, if it changes data at all; a few MiB are best."""
        raise NotImplementedError

    def make_image(self) -> Image:
        """Return the image of the data; override it if the plugin looks at its format or properties."""
        return make_image(status="importing", locations=(), size=None)

    def test_its_name_can_be_that_of_a_file(self) -> None:
        name = self.make_plugin().name
        assert name and name == os.path.basename(name) and name not in (".", ".."), f"{name!r} is no file name"

    def test_it_leaves_its_input_and_writes_at_most_its_output(self) -> None:
        plugin = self.make_plugin()
        for staged in self._staged():
            result = plugin.apply(staged, self.roles, _go_on)
            assert staged.path.read_bytes() == self.make_data(), "the input was changed"
            files = set(staged.directory.iterdir())
            assert files <= {staged.output(plugin)}, f"it wrote {files}"
            assert result.path in {staged.path, *files}, f"the result is {result.path}"

    def test_what_the_image_gets_is_known(self) -> None:
        for staged in self._staged():
            result = self.make_plugin().apply(staged, self.roles, _go_on)
            _check_values(result.attributes, Attributes.__annotations__, result.properties)

    def test_it_may_be_applied_again(self) -> None:
        plugin = self.make_plugin()
        found = [_summary(plugin.apply(staged, self.roles, _go_on)) for _ in range(2) for staged in self._staged()]
        assert found[0] == found[1], "a second attempt had another result"

    def test_it_is_shared_by_threads(self) -> None:
        plugin = self.make_plugin()
        found: list[object] = []

        def apply() -> None:
            found.extend(_summary(plugin.apply(staged, self.roles, _go_on)) for staged in self._staged())

        threads = [threading.Thread(target=apply) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3 and all(each == found[0] for each in found), "imports at once disturbed each other"

    def test_a_stop_passes_and_leaves_no_file(self) -> None:
        for calls in (0, 1, 3):
            for staged in self._staged():
                failure = Stop()
                try:
                    self.make_plugin().apply(staged, self.roles, _stop_after(calls, failure))
                except Stop as error:
                    assert error is failure
                    left = list(staged.directory.iterdir())
                    assert not left, f"it left {left}"

    def test_it_asks_whether_it_may_go_on_while_it_writes(self) -> None:
        plugin = self.make_plugin()
        calls: list[None] = []
        for staged in self._staged():
            result = plugin.apply(staged, self.roles, lambda: calls.append(None))
            if result.path != staged.path:
                assert calls, "it wrote a file and never asked"

    def test_it_writes_no_more_than_the_limit(self) -> None:
        plugin = self.make_plugin()
        for staged in self._staged(limit=1):
            try:
                result = plugin.apply(staged, self.roles, _go_on)
            except GlanceMiniError:
                left = list(staged.directory.iterdir())
                assert not left, f"it left {left}"
            else:
                fits = result.path == staged.path or result.path.stat().st_size <= staged.limit
                assert fits, "the result is larger than the limit"

    def _staged(self, limit: int = 1024 * MIB) -> Iterator[StagedFile]:
        """Yield one staged file in a directory of its own."""
        with tempfile.TemporaryDirectory() as folder:
            path, directory = Path(folder, "data"), Path(folder, "attempt")
            path.write_bytes(self.make_data())
            directory.mkdir()
            yield StagedFile(path, directory, self.make_image(), limit)


def _go_on() -> None:
    """Let the work continue."""


def _stop_after(calls: int, failure: Exception) -> Callable[[], None]:
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise failure

    return check


def _summary(result: PluginResult) -> tuple[bytes, object, object]:
    return hashlib.sha256(result.path.read_bytes()).digest(), dict(result.attributes), dict(result.properties)


def _check_values(
    attributes: Mapping[str, object], known: Mapping[str, object], properties: Mapping[str, object]
) -> None:
    assert attributes.keys() <= known.keys(), f"unknown attributes {attributes.keys() - known.keys()}"
    for name, value in properties.items():
        assert isinstance(name, str) and isinstance(value, str), f"property {name!r} has no text"


def _close(source: Source) -> None:
    if (close := getattr(source.chunks, "close", None)) is not None:
        close()
