"""``glance-mini-manage db load_metadefs``, ``unload_metadefs`` and ``export_metadefs`` on a state directory."""

import json
from dataclasses import replace

from glance_mini.cmd.manage_metadefs import DEFAULT_FILES, load_default_set
from glance_mini.cmd.metadef_files import MAX_FILE_BYTES, find_files, read_file, to_document
from glance_mini.conf import load
from glance_mini.domain.metadefs import Namespace, NamespaceContent, NamespaceQuery
from glance_mini.notifications.opening import open_data
from glance_mini.operations.metadef_loading import WriteNamespaces
from glance_mini.operations.metadefs import DeleteNamespace, GetNamespace, GetNamespaces, ModifyNamespace
from glance_mini.testing.data_access.metadef_samples import ODD_NAMES
from tests.unit.cmd.test_commands import CommandTestCase

ACME = {
    "namespace": "Acme",
    "display_name": "Disks of Acme",
    "visibility": "public",
    "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "acme_"}],
    "properties": {"bus": {"title": "Bus", "type": "string"}},
    "objects": [
        {"name": "Tuning", "required": ["depth"], "properties": {"depth": {"title": "Depth", "type": "integer"}}}
    ],
    "tags": [{"name": "fast"}],
}


class MetadefCommandTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.manage("db", "sync")
        self.files = self.root / "metadefs"
        self.files.mkdir()

    def db(self, command, *words):
        """Return the result of a command, which must succeed."""
        code, out, err = self.manage("db", command, *map(str, words), "--format", "json")
        self.assertEqual(0, code, err)
        return json.loads(out)

    def load(self, *words):
        """Return how many namespaces were added, changed and kept."""
        return tuple(self.db("load_metadefs", *words).values())

    def write(self, **changes):
        """Write the namespace ``Acme`` with these changes, None leaving a key out; return the path."""
        document = {key: value for key, value in (ACME | changes).items() if value is not None}
        path = self.files / "acme.json"
        path.write_text(json.dumps(document))
        return path

    def run_data(self, *calls):
        """Return the result of the last of these data calls."""
        with open_data(load(files=[self.state.config_file])) as data:
            return [data.run(call) for call in calls][-1]

    def names(self):
        page = self.run_data(GetNamespaces(NamespaceQuery(limit=1000)))
        return sorted(each.namespace.name for each in page.namespaces)

    def document(self, name="Acme"):
        return to_document(self.run_data(GetNamespace(name)))


class RoundTripTest(MetadefCommandTest):
    def test_the_default_set_is_the_same_after_export_and_load(self):
        number = len(find_files(DEFAULT_FILES))
        self.assertEqual((number, 0, 0), self.load())
        for path in find_files(DEFAULT_FILES):
            content = read_file(path)
            self.assertEqual(to_document(content), self.document(content.namespace.name), path)
        first, second = self.root / "first", self.root / "second"
        self.assertEqual(number, self.db("export_metadefs", first)["written"])
        self.assertEqual(number, self.db("unload_metadefs", "--yes")["removed"])
        self.assertEqual([], self.names())
        self.assertEqual((number, 0, 0), self.load(first))
        self.assertEqual(number, self.db("export_metadefs", "--path", second)["written"])
        exported = [{path.name: path.read_text() for path in each.iterdir()} for each in (first, second)]
        self.assertEqual(number, len(exported[0]))
        self.assertEqual(*exported)
        self.assertEqual((0, 0, number), self.load(first, "--merge", "--prefer_new"))

    def test_the_configuration_names_the_files(self):
        self.write()
        config = self.state.config_file
        config.write_text(config.read_text().replace("[DEFAULT]", f"[DEFAULT]\nmetadata_source_path = {self.files}"))
        self.assertEqual((1, 0, 0), self.load())
        self.assertEqual(["Acme"], self.names())

    def test_odd_names_come_back(self):
        contents = tuple(NamespaceContent(Namespace(name, name, owner="p1")) for name in ODD_NAMES)
        self.run_data(WriteNamespaces(contents))
        self.db("export_metadefs", self.files)
        self.assertEqual(len(ODD_NAMES), len(list(self.files.iterdir())))
        self.db("unload_metadefs", "--yes")
        self.load(self.files)
        self.assertEqual(sorted(ODD_NAMES), self.names())
        self.assertEqual("p1", self.run_data(GetNamespace("a/b%2Fc%")).namespace.owner)

    def test_export_replaces_files_and_leaves_no_parts_of_them(self):
        self.load(self.write())
        for _ in range(2):
            self.db("export_metadefs", self.files)
        self.assertEqual(["Acme.json", "acme.json"], sorted(path.name for path in self.files.iterdir()))
        self.assertEqual(ACME | {"protected": False}, json.loads((self.files / "Acme.json").read_text()))


class ModesTest(MetadefCommandTest):
    NEW = {
        "display_name": "New",
        "properties": {"bus": {"title": "New", "type": "string"}, "size": {"title": "Size", "type": "integer"}},
        "tags": [{"name": "safe"}],
        "objects": None,
    }

    def after(self, *words):
        """Return what became of ``Acme`` when the new file was loaded with these words, and its display name,
        properties, tags and number of objects."""
        self.load(self.write())
        result = self.load(self.write(**self.NEW), *words)
        found = self.document()
        titles = {name: each["title"] for name, each in found["properties"].items()}
        tags = [each["name"] for each in found.get("tags", [])]
        return result, found["display_name"], titles, tags, len(found.get("objects", []))

    def test_what_exists_is_kept(self):
        self.assertEqual(((0, 0, 1), "Disks of Acme", {"bus": "Bus"}, ["fast"], 1), self.after())

    def test_merge_adds(self):
        wanted = ((0, 1, 0), "Disks of Acme", {"bus": "Bus", "size": "Size"}, ["fast", "safe"], 1)
        self.assertEqual(wanted, self.after("--merge"))

    def test_prefer_new_replaces_what_differs(self):
        wanted = ((0, 1, 0), "New", {"bus": "New", "size": "Size"}, ["fast", "safe"], 1)
        self.assertEqual(wanted, self.after("--merge", "--prefer_new"))

    def test_overwrite_replaces_all(self):
        wanted = ((0, 1, 0), "New", {"bus": "New", "size": "Size"}, ["safe"], 0)
        self.assertEqual(wanted, self.after("--merge", "--overwrite"))

    def test_overwrite_and_prefer_new_exclude_each_other(self):
        code, _, err = self.manage("db", "load_metadefs", str(self.write()), "--overwrite", "--prefer_new")
        self.assertEqual(2, code)
        self.assertIn("not allowed with", err)


class BadFilesTest(MetadefCommandTest):
    def refused(self, *texts):
        """Fail unless loading says these texts and the file's name, and wrote nothing."""
        (self.files / "a.json").write_text(json.dumps({"namespace": "First"}))
        code, _, err = self.manage("db", "load_metadefs", str(self.files))
        self.assertEqual(1, code)
        for each in (str(self.files), *texts):
            self.assertIn(each, err)
        self.assertEqual(1, err.count("\n"), err)
        self.assertEqual([], self.names())

    def test_text_that_is_not_json(self):
        (self.files / "bad.json").write_text("{")
        self.refused("bad.json", "not JSON")

    def test_text_that_is_not_utf_8(self):
        (self.files / "bad.json").write_bytes(b'{"namespace": "\xff"}')
        self.refused("bad.json", "not JSON")

    def test_property_of_no_type(self):
        self.write(properties={"bus": {"title": "Bus"}})
        self.refused("acme.json", "properties", "bus", "'type' is a required property")

    def test_no_object_at_all(self):
        (self.files / "bad.json").write_text("[]")
        self.refused("bad.json")

    def test_two_tags_of_one_name(self):
        self.write(tags=[{"name": "fast"}, {"name": "fast"}])
        self.refused("acme.json", "fast stands twice")

    def test_name_that_is_too_long(self):
        self.write(namespace="x" * 81)
        self.refused("acme.json", "namespace")

    def test_pattern_that_the_api_would_refuse_too(self):
        self.write(properties={"bus": {"title": "Bus", "type": "string", "pattern": "x" * 1001}})
        self.refused("acme.json", "pattern of property 'bus'")

    def test_file_that_is_too_long(self):
        self.write(description="x").write_bytes(b" " * (MAX_FILE_BYTES + 1))
        self.refused("acme.json", "longer than")

    def test_places_without_files(self):
        for place, text in ((self.files, "holds no files"), (self.root / "nowhere", "No such file")):
            code, _, err = self.manage("db", "load_metadefs", str(place))
            self.assertEqual(1, code)
            self.assertIn(text, err)


class DefaultSetTest(MetadefCommandTest):
    def start(self):
        """Do what a start with a state directory does."""
        with open_data(load(files=[self.state.config_file])) as data:
            load_default_set(data)

    def test_first_start_loads_it_and_later_ones_change_nothing(self):
        self.start()
        self.assertEqual(len(find_files(DEFAULT_FILES)), len(self.names()))
        watchdog = self.run_data(GetNamespace("OS::Compute::Watchdog")).namespace
        self.run_data(ModifyNamespace(watchdog.name, new=replace(watchdog, protected=False)))
        self.run_data(DeleteNamespace(watchdog.name))
        self.start()
        self.assertEqual(len(find_files(DEFAULT_FILES)) - 1, len(self.names()))

    def test_it_does_not_come_back_after_all_were_removed(self):
        self.start()
        self.db("unload_metadefs", "--yes")
        self.start()
        self.assertEqual([], self.names())
