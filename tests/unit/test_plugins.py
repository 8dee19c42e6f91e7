"""Entry points are loaded at start, and whatever is wrong with one stops it."""

import testtools

from glance_mini.domain.errors import ConfigurationError
from glance_mini.plugins import PluginKind
from tests.unit.entry_points import installed

NAMESPACE = "tests.things"
HERE = __name__


class Thing:
    """What all plugins of this test are."""

    name = "thing"


class Round(Thing):
    name = "round"


class Square(Thing):
    name = "square"


ROUND, SQUARE = ("round", f"{HERE}:Round"), ("square", f"{HERE}:Square")
BROKEN = ("broken", f"{HERE}_that_is_not_there:Broken")
KIND = PluginKind("Thing", NAMESPACE, Thing)


class TestLoading(testtools.TestCase):
    def load(self, names, *offers):
        with installed(NAMESPACE, *offers):
            return KIND.load(names, "[things] wanted")

    def load_all(self, *offers):
        with installed(NAMESPACE, *offers):
            return KIND.load_all()

    def refusal(self, names, *offers):
        return str(self.assertRaises(ConfigurationError, self.load, names, *offers))

    def test_what_is_named_comes_in_the_order_of_the_names(self):
        self.assertEqual([Square, Round], list(self.load(["square", "round"], ROUND, SQUARE).values()))
        self.assertEqual([Round, Square], list(self.load(["round", "square"], ROUND, SQUARE).values()))

    def test_what_is_not_named_is_not_loaded(self):
        self.assertEqual({"round": Round}, self.load(["round"], BROKEN, ROUND))

    def test_without_a_name_everything_is_loaded(self):
        self.assertEqual({"round": Round, "square": Square}, self.load_all(ROUND, SQUARE))

    def test_what_nobody_offers_is_refused(self):
        text = self.refusal(["round", "flat", "even"], ROUND)
        self.assertIn("[things] wanted names even, flat, which no installed package offers as tests.things", text)

    def test_a_group_that_is_empty_is_refused_where_all_of_it_is_wanted(self):
        self.assertIn("tests.things", str(self.assertRaises(ConfigurationError, self.load_all)))

    def test_a_name_that_comes_twice_is_refused(self):
        self.assertIn("[things] wanted names round more than once", self.refusal(["round", "round"], ROUND))

    def test_two_packages_that_offer_the_same_are_refused(self):
        twice = (ROUND, ("round", f"{HERE}:Square"))
        self.assertIn("Thing round", self.refusal(["round"], *twice))
        error = self.assertRaises(ConfigurationError, self.load_all, *twice)
        self.assertIn("is installed more than once", str(error))

    def test_what_cannot_be_imported_is_refused_with_its_entry_point(self):
        text = self.refusal(["broken"], BROKEN)
        self.assertIn(f"Thing broken ({BROKEN[1]}) could not be loaded: ModuleNotFoundError", text)
        self.assertIn("could not be loaded", str(self.assertRaises(ConfigurationError, self.load_all, BROKEN)))

    def test_another_class_and_another_name_are_refused(self):
        self.assertIn(f"no subclass of {HERE}.Thing", self.refusal(["test"], ("test", f"{HERE}:TestLoading")))
        self.assertIn("no subclass", self.refusal(["kind"], ("kind", f"{HERE}:KIND")))
        self.assertIn("calls itself round", self.refusal(["ring"], ("ring", f"{HERE}:Round")))

    def test_what_is_built_has_the_names_of_its_classes(self):
        built = KIND.build({"square": Square, "round": Round}, lambda each: each())
        self.assertEqual([("square", Square), ("round", Round)], [(name, type(each)) for name, each in built.items()])

    def test_what_cannot_be_built_is_refused(self):
        def fail(each):
            raise ZeroDivisionError

        error = self.assertRaises(ConfigurationError, KIND.build, {"round": Round}, fail)
        self.assertIn(f"Thing round ({HERE}:Round) could not be built: ZeroDivisionError", str(error))

    def test_what_a_plugin_says_of_the_configuration_stays_as_it_is(self):
        def fail(each):
            raise ConfigurationError(reason="There is no edge.")

        error = self.assertRaises(ConfigurationError, KIND.build, {"round": Round}, fail)
        self.assertEqual("There is no edge.", str(error))
