"""The metadata definitions that are shipped in ``etc/metadefs`` can be loaded, and contradict one another nowhere."""

import importlib.resources
import json
import re
from pathlib import Path

import testtools

from glance_mini.api.v2.schemas import metadefs
from glance_mini.api.v2.schemas.strict import StrictValidator

SOURCE = Path(__file__).resolve().parents[2] / "etc" / "metadefs"
INSTALLED = Path(str(importlib.resources.files("glance_mini"))) / "etc" / "metadefs"

TOPICS = {
    "compute hardware": ("hw_disk_bus", "hw_vif_model", "hw_video_model"),
    "operating system": ("os_type", "os_distro", "os_version"),
    "watchdog": ("hw_watchdog_action", "hw:watchdog_action"),
    "random numbers": ("hw_rng_model", "hw_rng:allowed"),
    "pinning": ("hw_cpu_policy", "hw:cpu_policy", "hw:cpu_thread_policy"),
    "NUMA": ("hw_numa_nodes", "hw:numa_nodes", "hw_numa_cpus.0", "hw:numa_mem.0"),
    "shares and quotas": ("quota:cpu_shares", "quota:cpu_quota", "quota:disk_read_iops_sec"),
    "memory pages": ("hw_mem_page_size", "hw:mem_page_size"),
    "trust": ("trait:COMPUTE_TRUSTED_CERTS", "trait:COMPUTE_SECURITY_UEFI_SECURE_BOOT"),
    "signature": ("img_signature", "img_signature_hash_method", "img_signature_key_type"),
    "vTPM": ("hw_tpm_version", "hw:tpm_model"),
    "UEFI": ("hw_firmware_type", "os_secure_boot", "os:secure_boot"),
    "hypervisor": ("img_hv_type", "vmware_adaptertype", "vmware_disktype"),
    "storage": ("total_iops_sec", "read_bytes_sec_max", "cinder_img_volume_type", "volume_backend_name"),
    "software": ("sw_database_postgresql_version", "sw_webserver_nginx_port", "sw_runtime_python_version"),
}
"""Names as a resource carries them, with the prefix of its type."""


def _read(path):
    """Return the content of a file; raises ValueError if an object has a key twice."""

    def unique(pairs):
        keys = [key for key, _ in pairs]
        if len(keys) != len(set(keys)):
            raise ValueError(f"{path.name}: a key stands twice among {keys}")
        return dict(pairs)

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


def _properties(content):
    """Yield name and definition of every property, those of objects too."""
    yield from content.get("properties", {}).items()
    for each in content.get("objects", ()):
        yield from each["properties"].items()


class TestDefaultDefinitions(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.contents = {path.name: _read(path) for path in sorted(SOURCE.glob("*.json"))}

    def on_resources(self):
        """Yield resource type, target and name of every property as resources carry it."""
        for content in self.contents.values():
            for association in content["resource_type_associations"]:
                place = association["name"], association.get("properties_target")
                for name, _ in _properties(content):
                    yield (*place, association.get("prefix", "") + name)

    def test_the_package_has_the_same_files(self):
        self.assertEqual(list(self.contents), sorted(path.name for path in INSTALLED.iterdir()))
        for name in self.contents:
            self.assertEqual((SOURCE / name).read_bytes(), (INSTALLED / name).read_bytes())

    def test_there_are_many_namespaces_and_properties(self):
        names = [content["namespace"] for content in self.contents.values()]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 25)
        self.assertGreaterEqual(sum(len(list(_properties(content))) for content in self.contents.values()), 250)

    def test_every_topic_is_there(self):
        found = {name for _, _, name in self.on_resources()}
        missing = {topic: set(names) - found for topic, names in TOPICS.items()}
        self.assertEqual({}, {topic: names for topic, names in missing.items() if names})

    def test_every_namespace_is_valid(self):
        validator = StrictValidator(metadefs.namespace_schema())
        for name, content in self.contents.items():
            self.assertEqual([], [error.message for error in validator.iter_errors(content)], name)

    def test_every_property_is_valid_alone(self):
        validator = StrictValidator(metadefs.property_schema())
        for file, content in self.contents.items():
            for name, definition in _properties(content):
                errors = validator.iter_errors({"name": name, **definition})
                self.assertEqual([], [error.message for error in errors], f"{file}: {name}")

    def test_every_object_and_tag_and_association_is_valid_alone(self):
        kinds = {
            "objects": metadefs.object_schema(),
            "tags": metadefs.tag_schema(),
            "resource_type_associations": metadefs.resource_type_schema(),
        }
        for file, content in self.contents.items():
            for kind, schema in kinds.items():
                for each in content.get(kind, ()):
                    found = [error.message for error in StrictValidator(schema).iter_errors(each)]
                    self.assertEqual([], found, f"{file}: {each['name']}")

    def test_everybody_sees_them_and_nobody_deletes_them_by_mistake(self):
        for name, content in self.contents.items():
            self.assertEqual(("public", True), (content["visibility"], content["protected"]), name)
            self.assertNotEqual([], content["resource_type_associations"], name)

    def test_everything_has_a_title_and_a_description(self):
        for file, content in self.contents.items():
            texts = [content["display_name"], content["description"]]
            texts += [each["description"] for each in content.get("objects", ())]
            texts += [d[key] for _, d in _properties(content) for key in ("title", "description")]
            self.assertEqual([], [text for text in texts if not text.strip()], file)
            descriptions = [d["description"] for _, d in _properties(content)] + [content["description"]]
            self.assertEqual([], [text for text in descriptions if not text.endswith(".")], file)

    def test_no_resource_has_a_property_from_two_namespaces(self):
        places = list(self.on_resources())
        self.assertEqual([], sorted(place for place in set(places) if places.count(place) > 1))

    def test_names_have_room_for_their_prefix(self):
        self.assertEqual([], [name for _, _, name in self.on_resources() if len(name) > metadefs.MAX_NAME])

    def test_defaults_obey_their_own_rules(self):
        for file, content in self.contents.items():
            for name, definition in _properties(content):
                if "default" in definition:
                    rules = {key: value for key, value in definition.items() if key not in ("operators", "required")}
                    found = [error.message for error in StrictValidator(rules).iter_errors(definition["default"])]
                    self.assertEqual([], found, f"{file}: {name}")
                values = definition.get("enum", [])
                self.assertEqual(len(values), len(set(values)), f"{file}: {name}")

    def test_required_properties_of_objects_exist(self):
        for file, content in self.contents.items():
            for each in content.get("objects", ()):
                self.assertEqual(set(), set(each.get("required", ())) - set(each["properties"]), file)

    def test_patterns_can_be_compiled(self):
        for content in self.contents.values():
            for _, definition in _properties(content):
                re.compile(definition.get("pattern", ""))
