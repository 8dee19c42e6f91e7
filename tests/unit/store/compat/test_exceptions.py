"""The exceptions have their names, texts and order, and errors of the library become them."""

from testtools import TestCase

from glance_mini_store import compat as glance_store
from glance_mini_store import errors
from glance_mini_store.compat import exceptions

NAMES = [
    "MissingCredentialError",
    "BadAuthStrategy",
    "AuthorizationRedirect",
    "NotFound",
    "UnknownHashingAlgo",
    "UnknownScheme",
    "BadStoreUri",
    "Duplicate",
    "StorageFull",
    "StorageWriteDenied",
    "AuthBadRequest",
    "AuthUrlNotFound",
    "AuthorizationFailure",
    "NotAuthenticated",
    "Forbidden",
    "Invalid",
    "BadStoreConfiguration",
    "DriverLoadFailure",
    "StoreDeleteNotSupported",
    "StoreGetNotSupported",
    "StoreRandomGetNotSupported",
    "StoreAddDisabled",
    "MaxRedirectsExceeded",
    "NoServiceEndpoint",
    "RegionAmbiguity",
    "RemoteServiceUnavailable",
    "HasSnapshot",
    "InUseByStore",
    "HostNotInitialized",
    "TimeoutError",
]


class TestNames(TestCase):
    def test_all_exceptions_of_the_reference_have_one_root(self):
        for name in NAMES:
            found = getattr(exceptions, name)
            self.assertTrue(issubclass(found, exceptions.GlanceStoreException), name)
            self.assertIs(found, getattr(glance_store, name))
            self.assertTrue(found().msg)

    def test_random_get_is_a_get(self):
        self.assertTrue(issubclass(exceptions.StoreRandomGetNotSupported, exceptions.StoreGetNotSupported))

    def test_backend_exceptions_stand_apart(self):
        self.assertTrue(issubclass(exceptions.UnsupportedBackend, exceptions.BackendException))
        self.assertFalse(issubclass(exceptions.BackendException, exceptions.GlanceStoreException))

    def test_redirect_keeps_its_url_and_does_not_show_a_credential(self):
        error = exceptions.RedirectException("http://user:secret@host/a")
        self.assertEqual("http://user:secret@host/a", error.url)
        self.assertNotIn("secret", str(error))
        self.assertFalse(issubclass(exceptions.RedirectException, exceptions.GlanceStoreException))


class TestTexts(TestCase):
    def test_text_is_kept(self):
        error = exceptions.NotFound("gone")
        self.assertEqual(("gone", "gone"), (error.msg, str(error)))

    def test_keywords_fill_a_text_or_are_added(self):
        self.assertEqual("no abc here", exceptions.NotFound("no %(image)s here", image="abc").msg)
        self.assertEqual("no data at this location (image: abc)", exceptions.NotFound(image="abc").msg)
        self.assertEqual("no %(image)s", exceptions.NotFound("no %(image)s", other="abc").msg)

    def test_keyword_with_a_credential_is_redacted(self):
        self.assertNotIn("secret", exceptions.BadStoreUri(uri="swift://user:secret@host/a/b").msg)


class TestTranslation(TestCase):
    def test_each_error_becomes_the_exception_of_its_name(self):
        for error, name in (
            (errors.NotFound(location="a://b"), "NotFound"),
            (errors.Duplicate(location="a://b"), "Duplicate"),
            (errors.StorageFull(reason="x"), "StorageFull"),
            (errors.SizeLimitExceeded(limit=1), "StorageFull"),
            (errors.StorageWriteDenied(reason="x"), "StorageWriteDenied"),
            (errors.Forbidden(location="a://b"), "Forbidden"),
            (errors.SizeMismatch(expected=1, received=2), "Invalid"),
            (errors.InvalidRange(offset=1, location="a://b"), "Invalid"),
            (errors.UnknownHashingAlgo(algorithm="x"), "UnknownHashingAlgo"),
            (errors.AddressRefused(location="a://b", reason="x"), "BadStoreUri"),
            (errors.UnknownStore(store_id="x"), "UnknownScheme"),
            (errors.InUseByStore(location="a://b"), "InUseByStore"),
            (errors.HasSnapshot(location="a://b"), "HasSnapshot"),
            (errors.StoreGetNotSupported(), "StoreGetNotSupported"),
            (errors.StoreAddDisabled(), "StoreAddDisabled"),
            (errors.StoreDeleteNotSupported(), "StoreDeleteNotSupported"),
            (errors.MaxRedirectsExceeded(redirects=5, location="a://b"), "MaxRedirectsExceeded"),
            (errors.StoreUnavailable(reason="x"), "RemoteServiceUnavailable"),
            (errors.BadStoreConfiguration(option="x", reason="y"), "BadStoreConfiguration"),
            (errors.DriverLoadFailure(driver="x", reason="y"), "DriverLoadFailure"),
            (errors.BuffersExhausted(limit=1), "GlanceStoreException"),
        ):
            found = exceptions.counterpart(error)
            self.assertEqual((name, str(error)), (type(found).__name__, found.msg))

    def test_missing_access_lists_are_not_implemented(self):
        def refuse():
            with exceptions.translated():
                raise errors.StoreAclNotSupported()

        self.assertRaises(NotImplementedError, refuse)
