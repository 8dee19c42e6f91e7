"""Schemas: that clients can use them, and how an operator's file is read."""

import json
from pathlib import Path

import fixtures
import jsonschema
import testtools
from glanceclient.v2.schemas import Schema, SchemaBasedModel
from warlock import model_factory

from glance_mini import conf as configuration
from glance_mini.api.v2.image_rules import ImageRules
from glance_mini.api.v2.schema import all_schemas
from glance_mini.api.v2.schemas.custom_properties import read_custom_properties
from glance_mini.api.v2.schemas.images import image_schema
from glance_mini.domain.errors import ConfigurationError, Invalid

IMAGE = image_schema(["bare"], ["raw", "qcow2"], {"os_distro": {"type": "string"}})


class TestAllSchemas(testtools.TestCase):
    def test_there_are_sixteen_and_each_is_a_schema(self) -> None:
        schemas = all_schemas(IMAGE)
        self.assertEqual(16, len(schemas))
        for name, schema in schemas.items():
            with self.subTest(name):
                jsonschema.Draft4Validator.check_schema(json.loads(json.dumps(schema)))

    def test_references_in_them_lead_somewhere(self) -> None:
        for name, schema in all_schemas(IMAGE).items():
            for reference in _references(schema):
                with self.subTest(name=name, reference=reference):
                    self.assertIn(reference.removeprefix("#/definitions/"), schema["definitions"])

    def test_glanceclient_builds_its_model_of_an_image(self) -> None:
        model = model_factory(Schema(IMAGE).raw(), base_class=SchemaBasedModel)
        image = model(id="1c0de5a9-8d2f-4b0c-9d9e-3f9d2f4f7a11", disk_format="raw", os_distro="suse", other="x")
        self.assertEqual("suse", image.os_distro)
        self.assertFalse(Schema(IMAGE).is_base_property("os_distro"))
        self.assertTrue(Schema(IMAGE).is_base_property("name"))


class TestCustomProperties(testtools.TestCase):
    def _read(self, text: str | None) -> object:
        folder = Path(self.useFixture(fixtures.TempDir()).path)
        (folder / "glance-mini.conf").write_text("")
        if text is not None:
            (folder / "schema-image.json").write_text(text)
        return read_custom_properties(configuration.load(files=[folder / "glance-mini.conf"]))

    def test_without_a_file_the_usual_properties_are_described(self) -> None:
        found = read_custom_properties(configuration.load(files=[]))
        self.assertIn("cinder_encryption_key_deletion_policy", found.schemas)
        self.assertEqual((), found.required)

    def test_a_flat_map_describes_properties(self) -> None:
        self.assertEqual({"color": {"type": "string"}}, self._read('{"color": {"type": "string"}}').schemas)

    def test_the_other_layout_may_require_properties(self) -> None:
        found = self._read('{"properties": {"color": {"type": "string"}}, "required": ["color"]}')
        self.assertEqual(({"color": {"type": "string"}}, ("color",)), (found.schemas, found.required))

    def test_a_file_that_is_neither_stops_the_start(self) -> None:
        for text in ("{", "[]", '{"color": "string"}', '{"properties": {}, "required": "color"}'):
            with self.subTest(text):
                error = self.assertRaises(ConfigurationError, self._read, text)
                self.assertIn("schema-image.json", str(error))


class TestRulesFromSchema(testtools.TestCase):
    def test_a_required_property_must_be_given(self) -> None:
        rules = ImageRules(image_schema([], [], {"color": {"type": "string"}}, ["color"]))
        rules.check_new({"color": "red"})
        self.assertIn("color", str(self.assertRaises(Invalid, rules.check_new, {})))

    def test_a_described_property_may_have_another_type(self) -> None:
        rules = ImageRules(image_schema([], [], {"cores": {"type": "integer", "minimum": 1}}))
        rules.check_new({"cores": 4})
        self.assertRaises(Invalid, rules.check_new, {"cores": "4"})
        self.assertRaises(Invalid, rules.check_new, {"cores": 0})

    def test_a_base_property_cannot_be_described_anew(self) -> None:
        schema = image_schema([], [], {"name": {"type": "integer"}})
        self.assertNotIn("is_base", schema["properties"]["name"])

    def test_a_long_value_is_not_repeated_in_full(self) -> None:
        rules = ImageRules(IMAGE)
        error = self.assertRaises(Invalid, rules.check_new, {"disk_format": "x" * 100_000})
        self.assertLess(len(str(error)), 1000)


def _references(schema: object) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [each for value in schema.values() for each in _references(value)]
    return [each for value in schema for each in _references(value)] if isinstance(schema, list) else []
