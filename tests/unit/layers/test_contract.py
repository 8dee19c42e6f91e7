"""Our own layers pass the suite that third parties run."""

from typing import Any

import testtools

from glance_mini.domain.changes import LocationChange
from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound
from glance_mini.domain.image import Image
from glance_mini.domain.property_rules import parse
from glance_mini.layers.auth import AuthLayer
from glance_mini.layers.base import Layer
from glance_mini.layers.location.imports import ImportRules
from glance_mini.layers.location.layer import LocationLayer
from glance_mini.layers.notifier import NotifierLayer
from glance_mini.layers.policy import PolicyLayer
from glance_mini.layers.property_protection import PropertyProtectionLayer
from glance_mini.layers.quota.layer import ImageLimits, QuotaLayer
from glance_mini.layers.quota.limits import LimitSource, ProjectLimits
from glance_mini.layers.stack import Stack
from glance_mini.maintenance.leases import LeaseKeeper
from glance_mini.metrics import Metrics
from glance_mini.notifications.publisher import Publisher
from glance_mini.operations.images import DeleteImage
from glance_mini.testing.layers import LayerContract
from glance_mini.testing.recorder import Recorder
from tests.unit.layers.location.stores import FailingDriver, one_store
from tests.unit.layers.support import make_database, make_database_layer, make_enforcer

EVERYTHING_TO_EVERYBODY = "[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n"


class TestAuth(LayerContract, testtools.TestCase):
    def make_layer(self) -> Layer:
        return AuthLayer()


class TestPropertyProtection(LayerContract, testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enforcer = make_enforcer(self)

    def make_layer(self) -> Layer:
        return PropertyProtectionLayer(parse(EVERYTHING_TO_EVERYBODY, "roles"), self.enforcer)


class TestNotifier(LayerContract, testtools.TestCase):
    def make_layer(self) -> Layer:
        return NotifierLayer(Publisher(None, Metrics(), 10, frozenset()))


class TestPolicy(LayerContract, testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enforcer = make_enforcer(self)

    def make_layer(self) -> Layer:
        return PolicyLayer(self.enforcer)


class TestQuota(LayerContract, testtools.TestCase):
    def make_layer(self) -> Layer:
        return QuotaLayer(LimitSource(lambda _: ProjectLimits(), 60), ImageLimits(), Metrics())


class TestLocation(LayerContract, testtools.TestCase):
    refuses_changes = (LocationChange,)
    may_refuse = (NotFound,)  # there is no staging area for uploads

    def setUp(self) -> None:
        super().setUp()
        self.leases = LeaseKeeper(make_database(self), 60)

    def make_layer(self) -> Layer:
        rules = ImportRules(check_uri=lambda uri: None)
        return LocationLayer(one_store(FailingDriver()), self.leases, Metrics(), rules=rules)

    def make_stack(self, **answers_with: Any) -> tuple[Stack, Recorder]:
        return super().make_stack(**{"list_removals": (), **answers_with})


class TestDatabase(LayerContract, testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = make_database(self)

    def make_layer(self) -> Layer:
        return make_database_layer(self.data)


class NoDeletion(Layer):
    """Lets nobody delete an image."""

    name = "no_deletion"

    def delete_image(self, context: Context, op: DeleteImage) -> Image:
        raise Forbidden(reason="nobody deletes images here")


class SilentDeletion(NoDeletion):
    """Says that it has deleted, and does nothing."""

    def delete_image(self, context: Context, op: DeleteImage) -> Image:
        return op.target


class TestRefusals(LayerContract, testtools.TestCase):
    may_refuse = (Forbidden,)

    def make_layer(self) -> Layer:
        return NoDeletion()

    def test_refusal_that_is_not_named_is_an_error(self) -> None:
        self.may_refuse = ()  # type: ignore[misc]
        self.assertRaises(Forbidden, self.test_every_operation_it_does_not_answer_reaches_the_layer_below)
        self.assertRaises(Forbidden, self.test_an_error_from_below_passes)

    def test_operation_that_is_neither_refused_nor_passed_on_is_found(self) -> None:
        self.make_layer = SilentDeletion  # type: ignore[method-assign]
        self.assertRaises(AssertionError, self.test_every_operation_it_does_not_answer_reaches_the_layer_below)
        self.assertRaises(AssertionError, self.test_an_error_from_below_passes)
