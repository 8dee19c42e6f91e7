import sys

import testtools

from glance_mini_store import errors
from glance_mini_store.extras import import_library


class LibraryTest(testtools.TestCase):
    def test_library_that_is_there_is_returned(self):
        self.assertIs(sys, import_library("sys", driver="acme"))

    def test_missing_one_is_named_with_the_command_that_installs_it(self):
        error = self.assertRaises(errors.DriverLoadFailure, import_library, "acme_cloud.client", driver="acme")
        self.assertIn("needs the Python package acme_cloud.client", str(error))
        self.assertIn("pip install 'glance-mini[acme]'", str(error))

    def test_library_that_no_extra_brings_is_named_with_its_origin(self):
        error = self.assertRaises(
            errors.DriverLoadFailure, import_library, "acme_cloud", driver="acme", origin="ask your distribution"
        )
        self.assertIn("needs the Python package acme_cloud", str(error))
        self.assertIn("ask your distribution", str(error))
        self.assertNotIn("pip install", str(error))
