"""The layer contract finds layers that lose changes of an image."""

import unittest
from dataclasses import replace

import testtools

from glance_mini.domain.changes import TagChange
from glance_mini.layers.base import Layer
from glance_mini.testing import LayerContract

TEST = "test_every_kind_of_change_reaches_the_layer_below"


class Forwards(Layer):
    name = "forwards"

    def update_image(self, context, op):
        return self.below(context, op)


class LosesTags(Forwards):
    def update_image(self, context, op):
        return self.below(context, replace(op, changes=[each for each in op.changes if type(each) is not TagChange]))


class FailsWithoutAName(Forwards):
    def update_image(self, context, op):
        assert all(change.name for change in op.changes)
        return self.below(context, op)


class SendsOneByOne(Forwards):
    def update_image(self, context, op):
        return [self.below(context, replace(op, changes=(each,))) for each in op.changes][-1]


def passes(layer, test=TEST):
    class Case(LayerContract, unittest.TestCase):
        def make_layer(self):
            return layer()

    result = unittest.TestResult()
    Case(test).run(result)
    return result.wasSuccessful()


class TestContractOfChanges(testtools.TestCase):
    def test_every_fault_is_found(self):
        self.assertEqual([False] * 3, [passes(layer) for layer in (LosesTags, FailsWithoutAName, SendsOneByOne)])

    def test_faultless_layer_passes(self):
        self.assertTrue(passes(Forwards))
        self.assertTrue(passes(Forwards, "test_an_update_without_changes_reaches_the_layer_below"))
