"""All commands for metadata definitions of the unmodified clients, against the real service."""

import contextlib
import io
import json
import re
from pathlib import Path
from urllib.parse import quote

import fixtures
import glanceclient
import openstack
import testtools
from glanceclient.shell import OpenStackImagesShell

from glance_mini.standalone.state import StateDirectory
from glance_mini.testing.data_access.metadef_samples import ODD_NAMES
from tests.functional.service import Client, Service
from tests.functional.test_start_errors import run

IMAGE, FLAVOR = "OS::Glance::Image", "OS::Nova::Flavor"
IMPORTED = {
    "namespace": "Imported",
    "visibility": "public",
    "resource_type_associations": [{"name": IMAGE, "prefix": "i_"}],
    "properties": {"bus": {"title": "Bus", "type": "string"}},
    "objects": [{"name": "Tuning", "properties": {"depth": {"title": "D", "type": "integer"}}}],
    "tags": [{"name": "fast"}],
}
SCHEMA = '{"enum": ["scsi", "virtio"]}'


class MetadefClientTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(self.root / "state")
        self.service = self.useFixture(Service(self.state.path, "--no-worker"))
        unload = ("glance-mini-manage", "db", "unload_metadefs", "--yes", "--state", self.state.path)
        self.assertEqual(0, run(*unload).returncode)

    def namespaces(self):
        """Return the names of all namespaces."""
        found = self.service.request("GET", "/v2/metadefs/namespaces").json()["namespaces"]
        return [each["namespace"] for each in found]


class OpenStackTest(MetadefClientTest):
    def test_each_command(self):
        client = self.useFixture(Client(self.state.clouds_file))
        client.openstack_session(
            "image metadef namespace create --display-name Disks --description about --public Acme::Disk -f json",
            "image metadef namespace set --description other --private --protected Acme::Disk",
            "image metadef namespace set --unprotected --public --tag fast --tag safe Acme::Disk",
            "image metadef namespace unset --tag fast Acme::Disk",
        )
        create = ("image", "metadef", "property", "create", "--name", "bus", "--title", "Bus", "--type", "string")
        client.openstack(*create, "--schema", SCHEMA, "Acme::Disk")
        change = ("image", "metadef", "property", "set", "--title", "Other", "--type", "string", "--schema", SCHEMA)
        client.openstack(*change, "Acme::Disk", "bus")
        depth = {"name": "Tuning", "properties": {"depth": {"title": "D", "type": "integer"}}}
        self.service.request("POST", "/v2/metadefs/namespaces/Acme::Disk/objects", json=depth)
        listed, shown, made, associated, types, properties, bus, group, groups, one, inner = client.openstack_session(
            "image metadef namespace list --visibility public -f json",
            "image metadef namespace show Acme::Disk -f json",
            f"image metadef resource type association create Acme::Disk {IMAGE} -f json",
            "image metadef resource type association list Acme::Disk -f json",
            "image metadef resource type list -f json",
            "image metadef property list Acme::Disk -f json",
            "image metadef property show Acme::Disk bus -f json",
            "image metadef object create --namespace Acme::Disk Other -f json",
            "image metadef object list Acme::Disk -f json",
            "image metadef object update --name Renamed Acme::Disk Other",
            "image metadef object show Acme::Disk Renamed -f json",
            "image metadef object property show Acme::Disk Tuning depth -f json",
        )
        self.assertEqual([{"namespace": "Acme::Disk"}], listed)
        self.assertEqual(("public", False, "Acme::Disk"), (shown["visibility"], shown["protected"], shown["namespace"]))
        self.assertEqual([{"name": "safe"}], shown["tags"])
        self.assertEqual((IMAGE, [{"Name": IMAGE}]), (made["name"], associated))
        self.assertIn({"Name": IMAGE}, types)
        self.assertEqual((["bus"], "Other"), ([each["name"] for each in properties], bus["title"]))
        self.assertEqual("Other", group["name"])
        self.assertEqual({"Tuning", "Other"}, {each["name"] for each in groups})
        self.assertEqual(("Renamed", "integer"), (one["name"], inner["type"]))
        client.openstack_session(
            "image metadef namespace unset --all-tags Acme::Disk",
            "image metadef object delete Acme::Disk Renamed",
            "image metadef property delete Acme::Disk bus",
            f"image metadef resource type association delete Acme::Disk {IMAGE}",
        )
        left = self.service.request("GET", "/v2/metadefs/namespaces/Acme::Disk").json()
        self.assertEqual([], left["resource_type_associations"])
        self.assertEqual(["Tuning"], [each["name"] for each in left["objects"]])
        self.assertEqual(set(), left.keys() & {"properties", "tags"})
        client.openstack_session("image metadef namespace delete Acme::Disk")
        self.assertEqual([], self.namespaces())


class GlanceTest(MetadefClientTest):
    def glance(self, *words):
        """Return what the command ``glance`` prints; it runs in this process, which is quicker."""
        access = ["--os-auth-token", self.service.token, "--os-image-url", self.service.lines[-1]]
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            OpenStackImagesShell().main([*access, *words])
        return output.getvalue()

    def test_each_command(self):
        self.useFixture(fixtures.EnvironmentVariable("HOME", str(self.root)))
        (self.root / "namespace.json").write_text(json.dumps(IMPORTED))
        depth = '{"properties": {"depth": {"title": "D", "type": "integer"}}, "required": ["depth"]}'
        typed = ("--type", "string", "--schema", SCHEMA)
        for command, words, printed in (
            ("md-namespace-create", ("--visibility", "public", "--protected", "False", "Acme"), "Acme"),
            ("md-namespace-import", ("--file", str(self.root / "namespace.json")), "Imported"),
            ("md-namespace-list", ("--page-size", "1"), "Acme"),
            ("md-namespace-list", ("--resource-types", IMAGE, "--visibility", "public"), "Imported"),
            ("md-namespace-show", ("Imported", "--resource-type", IMAGE), "i_bus"),
            ("md-namespace-update", ("--description", "other", "Acme"), "other"),
            ("md-resource-type-associate", ("Acme", "--name", FLAVOR, "--prefix", "hw_"), "hw_"),
            ("md-namespace-resource-type-list", ("Acme",), FLAVOR),
            ("md-resource-type-list", (), IMAGE),
            (
                "md-property-create",
                ("Acme", "--name", "bus", "--title", "B", *typed),
                "scsi",
            ),
            ("md-property-list", ("Acme",), "bus"),
            ("md-property-update", ("Acme", "bus", "--title", "Other"), "Other"),
            ("md-property-show", ("Acme", "bus"), "Other"),
            ("md-object-create", ("Acme", "--name", "Tuning", "--schema", depth), "depth"),
            ("md-object-list", ("Acme",), "Tuning"),
            ("md-object-update", ("Acme", "Tuning", "--name", "Tuned"), "Tuned"),
            ("md-object-show", ("Acme", "Tuned"), "depth"),
            ("md-object-property-show", ("Acme", "Tuned", "depth"), "integer"),
            ("md-tag-create", ("Acme", "--name", "fast"), "fast"),
            ("md-tag-create-multiple", ("Acme", "--names", "a,b"), "a"),
            ("md-tag-list", ("Acme",), "b"),
            ("md-tag-update", ("Acme", "a", "--name", "z"), "z"),
            ("md-tag-show", ("Acme", "z"), "z"),
            ("md-tag-delete", ("Acme", "z"), ""),
            ("md-namespace-tags-delete", ("Acme",), ""),
            ("md-object-delete", ("Acme", "Tuned"), ""),
            ("md-property-delete", ("Acme", "bus"), ""),
            ("md-namespace-objects-delete", ("Imported",), ""),
            ("md-namespace-properties-delete", ("Imported",), ""),
            ("md-resource-type-deassociate", ("Acme", FLAVOR), ""),
        ):
            self.assertIn(printed, self.glance(command, *words), command)
        for name in ("Acme", "Imported"):
            left = self.service.request("GET", f"/v2/metadefs/namespaces/{name}").json()
            self.assertEqual(set(), left.keys() & {"properties", "objects"})
            self.glance("md-namespace-delete", name)
        self.assertEqual([], self.namespaces())

    def test_the_library_shows_the_objects_of_a_namespace_as_objects(self):
        access = {"token": self.service.token, "endpoint": self.service.lines[-1]}
        client = glanceclient.Client("2", **access)
        client.metadefs_namespace.create(**IMPORTED)
        (within,) = client.metadefs_namespace.get("Imported")["objects"]
        alone = client.metadefs_object.get("Imported", "Tuning")
        for field in ("name", "created_at", "updated_at"):
            self.assertEqual(alone[field], within[field])
        self.assertTrue(within["self"].endswith("/namespaces/Imported/objects/Tuning"))
        self.assertEqual("/v2/schemas/metadefs/object", within["schema"])

    def test_the_table_has_each_command(self):
        commands = set(re.findall(r"\bmd-[a-z-]+", self.glance("help")))
        source = Path(__file__).read_text()
        self.assertEqual(set(), {name for name in commands if f'"{name}"' not in source})


class LibraryTest(MetadefClientTest):
    def test_odd_names_reach_the_service_escaped(self):
        for name in ODD_NAMES:
            body = {"namespace": name, "tags": [{"name": name}]}
            answer = self.service.request("POST", "/v2/metadefs/namespaces", json=body)
            self.assertEqual(201, answer.status_code, answer.text)
            path = answer.headers["Location"]
            found = self.service.request("GET", f"{path}/tags/{quote(name, safe='')}")
            self.assertEqual((200, name), (found.status_code, found.json().get("name")))
            self.assertEqual(204, self.service.request("DELETE", path).status_code)

    def test_pages_are_read_to_the_end(self):
        glance = glanceclient.Client("2", endpoint=self.service.lines[-1], token=self.service.token)
        config = openstack.config.OpenStackConfig(config_files=[str(self.state.clouds_file)], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="glance-mini"))
        self.addCleanup(cloud.close)
        names = {f"n{number}" for number in range(30)}
        for name in names:
            glance.metadefs_namespace.create(namespace=name)
        self.assertEqual(names, {each.namespace for each in glance.metadefs_namespace.list()})
        self.assertEqual(names, {each.namespace for each in cloud.image.metadef_namespaces()})
        made = list(glance.metadefs_tag.create_multiple("n0", tags=sorted(names)))
        self.assertEqual(30, len(made))
        self.assertEqual(names, {tag.name for tag in glance.metadefs_tag.list("n0", page_size=7)})
