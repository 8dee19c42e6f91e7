"""Capabilities are bits, and a decorator checks them."""

from testtools import TestCase

from glance_mini_store.compat import exceptions
from glance_mini_store.compat.capabilities import BitMasks, StoreCapability, check

BITS = {
    "NONE": 0,
    "READ_ACCESS": 1,
    "READ_OFFSET": 3,
    "READ_CHUNK": 5,
    "READ_RANDOM": 7,
    "WRITE_ACCESS": 8,
    "WRITE_OFFSET": 24,
    "WRITE_CHUNK": 40,
    "WRITE_RANDOM": 56,
    "RW_ACCESS": 9,
    "RW_OFFSET": 27,
    "RW_CHUNK": 45,
    "RW_RANDOM": 63,
    "DRIVER_REUSABLE": 64,
    "ALL": 255,
}


class Holder(StoreCapability):
    _CAPABILITIES = BitMasks.RW_ACCESS

    @check
    def get(self, location, offset=0, chunk_size=None, context=None):
        return location, offset, chunk_size

    @check
    def add(self, image_id):
        return image_id

    @check
    def delete(self, location, context=None):
        return location

    @check
    def other(self):
        return "done"


class TestBits(TestCase):
    def test_values_are_those_of_the_reference(self):
        self.assertEqual(BITS, {each.name: each.value for each in BitMasks})

    def test_a_mask_contains_another(self):
        self.assertTrue(StoreCapability.contains(BitMasks.RW_ACCESS, BitMasks.READ_ACCESS))
        self.assertTrue(StoreCapability.contains(BitMasks.ALL, BitMasks.RW_RANDOM))
        self.assertFalse(StoreCapability.contains(BitMasks.READ_ACCESS, BitMasks.READ_OFFSET))

    def test_capabilities_are_set_and_unset(self):
        holder = Holder()
        self.assertEqual(9, holder.capabilities)
        self.assertTrue(holder.is_capable(BitMasks.READ_ACCESS, BitMasks.WRITE_ACCESS))
        holder.set_capabilities(BitMasks.READ_OFFSET, BitMasks.DRIVER_REUSABLE)
        self.assertEqual(9 | 3 | 64, holder.capabilities)
        holder.unset_capabilities(BitMasks.WRITE_ACCESS)
        self.assertFalse(holder.is_capable(BitMasks.READ_ACCESS, BitMasks.WRITE_ACCESS))
        self.assertEqual(9, Holder().capabilities)


class TestCheck(TestCase):
    def test_what_the_store_can_do_passes(self):
        holder = Holder()
        self.assertEqual(("x", 0, None), holder.get("x"))
        self.assertEqual(("x", "x", "done"), (holder.add("x"), holder.delete("x"), holder.other()))

    def test_part_needs_the_capability_for_it(self):
        holder = Holder()
        for args, kwargs in ((("x", 1), {}), (("x",), {"offset": 1}), (("x",), {"chunk_size": 1}), (("x", 0, 1), {})):
            self.assertRaises(exceptions.StoreRandomGetNotSupported, holder.get, *args, **kwargs)
        holder.set_capabilities(BitMasks.READ_OFFSET)
        self.assertEqual(("x", 1, None), holder.get("x", 1))
        self.assertRaises(exceptions.StoreRandomGetNotSupported, holder.get, "x", 1, 1)
        holder.set_capabilities(BitMasks.READ_CHUNK)
        self.assertEqual(("x", 1, 1), holder.get("x", 1, 1))

    def test_what_the_store_cannot_do_is_refused(self):
        holder = Holder()
        holder.unset_capabilities(BitMasks.RW_ACCESS)
        self.assertRaises(exceptions.StoreGetNotSupported, holder.get, "x")
        self.assertRaises(exceptions.StoreAddDisabled, holder.add, "x")
        self.assertRaises(exceptions.StoreDeleteNotSupported, holder.delete, "x")
        self.assertEqual("done", holder.other())
