"""The suites for import methods and plugins: ours pass, and faulty ones fail the test that names the fault."""

import gzip
import unittest

import testtools

from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.methods import ImportMethod, Source
from glance_mini.imports.plugins.base import ImportPlugin, PluginResult
from glance_mini.imports.plugins.decompression import ImageDecompression
from glance_mini.imports.plugins.no_op import NoOp
from glance_mini.testing.imports import ImportMethodContract, ImportPluginContract
from glance_mini.workers.base import JobFailed

DATA = bytes(range(256)) * 12_000


class TestNoOp(ImportPluginContract, testtools.TestCase):
    def make_plugin(self):
        return NoOp()

    def make_data(self):
        return DATA


class TestDecompression(ImportPluginContract, testtools.TestCase):
    def make_plugin(self):
        return ImageDecompression(2**30)

    def make_data(self):
        return gzip.compress(DATA)


class Copies(ImportPlugin):
    """A faultless plugin, from which the faulty ones differ."""

    name = "copies"

    def apply(self, staged, roles, check):
        output = staged.output(self)
        if staged.path.stat().st_size > staged.limit:
            raise LimitExceeded(resource="size", limit=staged.limit, wanted=0)
        try:
            with open(output, "xb") as file:
                for start in range(0, len(DATA), 2**20):
                    check()
                    file.write(DATA[start : start + 2**20])
        except BaseException:
            output.unlink()
            raise
        return PluginResult(output)


class ChangesItsInput(Copies):
    def apply(self, staged, roles, check):
        staged.path.write_bytes(b"")
        return PluginResult(staged.path)


class WritesElsewhere(Copies):
    def apply(self, staged, roles, check):
        (staged.directory / "other").write_bytes(b"x")
        return super().apply(staged, roles, check)


class NeverAsks(Copies):
    def apply(self, staged, roles, check):
        return super().apply(staged, roles, lambda: None)


class LeavesAFile(Copies):
    def apply(self, staged, roles, check):
        staged.output(self).write_bytes(DATA[:10])
        check()
        return PluginResult(staged.output(self))


class SwallowsAStop(Copies):
    def apply(self, staged, roles, check):
        try:
            return super().apply(staged, roles, check)
        except Exception as error:
            raise RuntimeError from error


class IgnoresTheLimit(Copies):
    def apply(self, staged, roles, check):
        staged.output(self).write_bytes(DATA)
        check()
        return PluginResult(staged.output(self))


class KeepsState(Copies):
    count = 0

    def apply(self, staged, roles, check):
        self.count += 1
        return PluginResult(staged.path, properties={"count": str(self.count)})


class GivesNumbers(Copies):
    def apply(self, staged, roles, check):
        return PluginResult(staged.path, properties={"count": 1})


class GivesUnknownAttributes(Copies):
    def apply(self, staged, roles, check):
        return PluginResult(staged.path, attributes={"owner": "me"})


class NamesAFolder(Copies):
    name = "a/b"


PLUGINS = {
    ChangesItsInput: "test_it_leaves_its_input_and_writes_at_most_its_output",
    WritesElsewhere: "test_it_leaves_its_input_and_writes_at_most_its_output",
    NeverAsks: "test_it_asks_whether_it_may_go_on_while_it_writes",
    LeavesAFile: "test_a_stop_passes_and_leaves_no_file",
    SwallowsAStop: "test_a_stop_passes_and_leaves_no_file",
    IgnoresTheLimit: "test_it_writes_no_more_than_the_limit",
    KeepsState: "test_it_may_be_applied_again",
    GivesNumbers: "test_what_the_image_gets_is_known",
    GivesUnknownAttributes: "test_what_the_image_gets_is_known",
    NamesAFolder: "test_its_name_can_be_that_of_a_file",
}


class Gives(ImportMethod):
    """A faultless method, from which the faulty ones differ."""

    name = "gives"
    fields = ("what",)

    def open(self, job, request, image, pause):
        if request.method["what"] != "it":
            raise JobFailed(reason="no such thing")
        return Source(iter([DATA[: 2**20], DATA[2**20 :]]), len(DATA))


class GivesOtherSize(Gives):
    def open(self, job, request, image, pause):
        return Source(iter([DATA]), 1)


class GivesOnce(Gives):
    chunks = None

    def open(self, job, request, image, pause):
        type(self).chunks = self.chunks or iter([DATA])
        return Source(self.chunks, len(DATA))


class GivesOneBlock(Gives):
    def open(self, job, request, image, pause):
        return Source(iter([DATA * 2]), None)


class GivesEmptyBlocks(Gives):
    def open(self, job, request, image, pause):
        return Source(iter([DATA, b""]), None)


class GivesWrongHash(Gives):
    def open(self, job, request, image, pause):
        return Source(iter([DATA]), None, expected_hashes={"md5": "0" * 32})


class IsForActiveImages(Gives):
    image_status = "active"


class NeedsMore(Gives):
    fields = ("what", "more")


class TriesInVain(Gives):
    def open(self, job, request, image, pause):
        return Source(iter([DATA]), len(DATA))


METHODS = {
    GivesOtherSize: "test_all_data_comes_in_small_blocks",
    GivesOnce: "test_it_may_be_opened_again",
    GivesOneBlock: "test_all_data_comes_in_small_blocks",
    GivesEmptyBlocks: "test_all_data_comes_in_small_blocks",
    GivesWrongHash: "test_all_data_comes_in_small_blocks",
    IsForActiveImages: "test_it_says_what_requests_must_have",
    NeedsMore: "test_it_says_what_requests_must_have",
    TriesInVain: "test_hopeless_requests_fail_for_good",
}


def passes_as_plugin(kind, test):
    class Case(ImportPluginContract, unittest.TestCase):
        def make_plugin(self):
            return kind()

        def make_data(self):
            return DATA

    return run(Case(test))


def passes_as_method(kind, test):
    class Case(ImportMethodContract, unittest.TestCase):
        def make_method(self):
            return kind()

        def make_request(self):
            return {"what": "it"}

        def expected_data(self):
            return DATA

        def hopeless_requests(self):
            return [{"what": "that"}]

    return run(Case(test))


def run(case):
    result = unittest.TestResult()
    case.run(result)
    return result.wasSuccessful()


class TestFaults(testtools.TestCase):
    def test_every_fault_of_a_plugin_is_found(self):
        self.assertEqual([], [kind.__name__ for kind, test in PLUGINS.items() if passes_as_plugin(kind, test)])

    def test_every_fault_of_a_method_is_found(self):
        self.assertEqual([], [kind.__name__ for kind, test in METHODS.items() if passes_as_method(kind, test)])

    def test_faultless_ones_pass(self):
        tests = unittest.TestLoader()
        for contract, passes, kind in (
            (ImportPluginContract, passes_as_plugin, Copies),
            (ImportMethodContract, passes_as_method, Gives),
        ):
            for test in tests.getTestCaseNames(contract):
                self.assertTrue(passes(kind, test), test)
