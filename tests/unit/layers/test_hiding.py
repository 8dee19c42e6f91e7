"""A refusal by any layer says nothing of an image that the policy rules hide from the caller."""

import testtools

from glance_mini.domain.context import Context
from glance_mini.domain.errors import Forbidden, NotFound
from glance_mini.domain.imports import ImportRequest
from glance_mini.layers.auth import AuthLayer
from glance_mini.layers.policy import PolicyLayer
from glance_mini.operations import images, imports, locations, members
from glance_mini.testing.samples import IMAGE_ID, make_image
from tests.unit.layers.support import ANONYMOUS, OTHER, make_enforcer, stand

IMAGE = make_image(visibility="public")
SYSTEM = Context(user_id="u", roles=("admin", "member", "reader"), system_scope="all")
REFUSED = (
    images.DeleteImage(IMAGE_ID, IMAGE),
    locations.DeleteFromStore(IMAGE_ID, IMAGE, "nowhere"),
    imports.ImportImage(IMAGE_ID, IMAGE, ImportRequest({"name": "web-download"})),
    members.ListMembers(IMAGE_ID, IMAGE),
    members.GetMember(IMAGE_ID, IMAGE, "p2"),
)


class TestHiding(testtools.TestCase):
    def refusals(self, context, policy=""):
        stack, recorder = stand(AuthLayer(), PolicyLayer(make_enforcer(self, policy)))
        found = [self.assertRaises((Forbidden, NotFound), stack.call, context, op) for op in REFUSED]
        self.assertEqual([], recorder.names)
        return [type(error) if error.values.get("kind") != "image" else str(error) for error in found]

    def test_roles_in_the_system_show_no_image(self):
        self.assertEqual([f"No image found with ID {IMAGE_ID}"] * len(REFUSED), self.refusals(SYSTEM))

    def test_nor_does_an_anonymous_caller_without_a_role(self):
        self.assertEqual([f"No image found with ID {IMAGE_ID}"] * len(REFUSED), self.refusals(ANONYMOUS))

    def test_a_rule_that_refuses_everybody_hides_it(self):
        expected = [f"No image found with ID {IMAGE_ID}"] * len(REFUSED)
        self.assertEqual(expected, self.refusals(OTHER, '"get_image": "!"'))

    def test_whoever_sees_the_image_is_told_what_was_refused(self):
        self.assertEqual([Forbidden] * 4 + [NotFound], self.refusals(OTHER))
