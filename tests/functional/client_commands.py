"""Every command of the ``openstack`` and ``glance`` clients for images, tried in one conversation with a service.

The names of the commands come from the installed clients, so that a new one is missed. What comes out is compared with
the table in ``doc/source/clients.rst``.
"""

import json
import os
import re
import select
import subprocess
import sys
import uuid
from importlib.metadata import entry_points
from pathlib import Path

import fixtures

from tests.http_server.running import eventually

PAGE = Path(__file__).resolve().parents[2] / "doc" / "source" / "clients.rst"
WORKS = "works"
SECONDS_OF_A_COMMAND = 90

STORES_AND_CACHE = """
[DEFAULT]
enabled_backends = images:file,spare:file,web:http
show_multiple_locations = true
image_cache_dir = {root}/cache
worker_self_reference_url = {url}
node_staging_uri = file://{root}/staging
[spare]
filesystem_store_datadir = {root}/spare
[task]
work_dir = {root}/work
[workers]
poll_interval = 0.2
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports = {web_port}
"""
"""The configuration in which every command has something to do."""

_ROW = re.compile(r"^   ``((?:openstack|glance) [^`]+)`` \| ([^|]+?) \| ([^|]+?)(?: \|.*)?$", re.MULTILINE)


def installed_commands():
    """Return the commands of the installed clients, such as ``openstack image list`` and ``glance image-list``."""
    openstack = {f"openstack {each.name.replace('_', ' ')}" for each in entry_points(group="openstack.image.v2")}
    glance = Path(sys.executable).parent / "glance"
    text = subprocess.run([glance, "help"], capture_output=True, text=True, check=True).stdout
    listed = text.partition("Positional arguments:")[2].partition("Optional arguments:")[0]
    return openstack | {f"glance {name}" for name in re.findall(r"^    ([a-z][a-z-]+)", listed, re.MULTILINE)}


def documented():
    """Return the results in the page by command: with tokens of the service itself, and with Keystone."""
    return {name: (token, keystone) for name, token, keystone in _ROW.findall(PAGE.read_text())}


class Clients(fixtures.Fixture):
    """The command line clients in a process of their own; ``access`` has the words that each program begins with."""

    def __init__(self, access, clouds_file):
        super().__init__()
        self._access = access
        self._clouds_file = clouds_file

    def _setUp(self):
        home = self.useFixture(fixtures.TempDir()).path
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDG_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.functional.client_driver"],
            env=environ | {"HOME": home, "OS_CLIENT_CONFIG_FILE": str(self._clouds_file)},
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self._stop)

    def _stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def run(self, program, *words):
        """Return exit code, standard output and standard error."""
        line = json.dumps([program, *self._access[program], *map(str, words)])
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], SECONDS_OF_A_COMMAND)[0]:
            raise AssertionError(f"no answer in {SECONDS_OF_A_COMMAND} seconds: {line}")
        return json.loads(self._process.stdout.readline())


class Conversation:
    """Tries every command; ``results`` has ``works`` for each, or what went wrong.

    ``request(method, path, **arguments)`` asks the service directly, ``root`` is a directory for files, ``member`` a
    project, ``web`` the address of a file that the service may fetch.
    """

    def __init__(self, clients, request, root, member, web):
        self._clients = clients
        self._request = request
        self._member = member
        self._web = web
        self._file = root / "disk.raw"
        self._file.write_bytes(b"x" * 3000)
        self._saved = root / "saved.raw"
        self._schema = '{"depth": {"title": "Depth", "type": "integer"}}'
        self.results = {}

    def try_all(self):
        """Try all commands in an order in which each finds what it needs."""
        self._openstack_images()
        self._openstack_metadefs()
        self._openstack_cache()
        self._glance_images()
        self._glance_imports()
        self._glance_locations()
        self._glance_members_and_tasks()
        self._glance_metadefs()
        self._glance_cache()
        self._glance_service()

    def _try(self, command, *words, says="", name=None):
        """Run a command and note whether it succeeds and says that text; a second failure does not hide the first."""
        program, *own = command.split()
        code, out, err = self._clients.run(program, *own, *words)
        if code:
            result = f"fails: {(err.strip() or out.strip()).splitlines()[-1]}"
        elif says not in out:
            result = f"does not say {says}: {out.strip()}"
        else:
            result = WORKS
        if self.results.get(command, WORKS) == WORKS:
            self.results[command] = result
        return out

    def _new_image(self, **fields):
        """Return the id of a new image with data."""
        body = {"name": "made", "disk_format": "raw", "container_format": "bare", **fields}
        image = self._request("POST", "/v2/images", json=body).json()["id"]
        headers = {"Content-Type": "application/octet-stream"}
        self._request("PUT", f"/v2/images/{image}/file", data=b"y" * 2000, headers=headers).raise_for_status()
        return image

    def _await_status(self, image, status):
        def current():
            return self._request("GET", f"/v2/images/{image}").json()["status"]

        eventually(lambda: current() == status, f"{image} is {status}")

    def _openstack_images(self):
        formats = ("--disk-format", "raw", "--container-format", "bare")
        self._try("openstack image create", "disk", *formats, "--file", self._file, says="active")
        self._try("openstack image list", says="disk")
        self._try("openstack image show", "disk", says="3000")
        self._try("openstack image set", "disk", "--property", "os_distro=leap", "--tag", "x86")
        self._try("openstack image show", "disk", says="leap")
        self._try("openstack image unset", "disk", "--property", "os_distro", "--tag", "x86")
        self._try("openstack image save", "disk", "--file", self._saved)
        self._try("openstack image add project", "disk", self._member, says=self._member)
        self._try("openstack image member list", "disk", says=self._member)
        self._try("openstack image member get", "disk", self._member, says="pending")
        self._try("openstack image remove project", "disk", self._member)
        self._try("openstack image import info", says="glance-direct")
        self._try("openstack image stores list", "--detail", says="spare")
        self._try("openstack image create", "staged", *formats)
        self._try("openstack image stage", "staged", "--file", self._file)
        self._try("openstack image import", "staged", "--wait")
        tasks = self._try("openstack image task list", "-f", "json")
        task = json.loads(tasks or "[]")
        self._try("openstack image task show", task[0]["ID"] if task else "none", says="api_image_import")
        self._try("openstack image delete", "disk", "staged")

    def _openstack_metadefs(self):
        self._try(
            "openstack image metadef namespace create", "Acme", "--display-name", "Disks", "--public", says="Disks"
        )
        self._try("openstack image metadef namespace list", says="Acme")
        self._try("openstack image metadef namespace set", "Acme", "--description", "of Acme", "--tag", "fast")
        self._try("openstack image metadef namespace show", "Acme", says="of Acme")
        self._try("openstack image metadef namespace unset", "Acme", "--tag", "fast")
        self._try("openstack image metadef resource type list", says="OS::Glance::Image")
        association = "openstack image metadef resource type association"
        self._try(f"{association} create", "Acme", "OS::Glance::Image", says="OS::Glance::Image")
        self._try(f"{association} list", "Acme", says="OS::Glance::Image")
        self._try(f"{association} delete", "Acme", "OS::Glance::Image")
        of_bus = ("--name", "bus", "--title", "Bus", "--type", "string", "--schema", '{"enum": ["scsi"]}')
        self._try("openstack image metadef property create", "Acme", *of_bus, says="Bus")
        self._try("openstack image metadef property list", "Acme", says="bus")
        self._try("openstack image metadef property set", "Acme", "bus", "--title", "Wide bus")
        self._try("openstack image metadef property show", "Acme", "bus", says="Wide bus")
        self._try("openstack image metadef property delete", "Acme", "bus")
        self._try("openstack image metadef object create", "--namespace", "Acme", "Tuning", says="Tuning")
        self._try("openstack image metadef object list", "Acme", says="Tuning")
        body = {"name": "Tuning", "properties": json.loads(self._schema)}
        self._request("PUT", "/v2/metadefs/namespaces/Acme/objects/Tuning", json=body)
        self._try("openstack image metadef object property show", "Acme", "Tuning", "depth", says="Depth")
        self._try("openstack image metadef object update", "Acme", "Tuning", "--name", "Speed")
        self._try("openstack image metadef object show", "Acme", "Speed", says="Speed")
        self._try("openstack image metadef object delete", "Acme", "Speed")
        self._try("openstack image metadef namespace delete", "Acme")

    def _openstack_cache(self):
        image = self._new_image()
        self._try("openstack cached image queue", image)
        self._try("openstack cached image list", says=image)
        self._try("openstack cached image delete", image)
        self._try("openstack cached image clear", "--queue")

    def _glance_images(self):
        image = str(uuid.uuid4())
        formats = ("--disk-format", "raw", "--container-format", "bare")
        self._try("glance image-create", "--id", image, "--name", "disk", *formats, says="queued")
        self._try("glance image-upload", image, "--file", self._file)
        self._try("glance image-list", says=image)
        self._try("glance image-update", image, "--property", "os_distro=leap", says="leap")
        self._try("glance image-tag-update", image, "x86")
        self._try("glance image-show", image, says="x86")
        self._try("glance image-tag-delete", image, "x86")
        self._try("glance image-download", image, "--file", self._saved)
        self._try("glance image-deactivate", image)
        self._try("glance image-reactivate", image)
        self._try("glance image-import", image, "--import-method", "copy-image", "--stores", "spare")
        eventually(lambda: "spare" in self._request("GET", f"/v2/images/{image}").json()["stores"], "copied")
        self._try("glance image-tasks", image, says="success")
        self._try("glance stores-delete", "--store", "spare", image)
        self._try("glance image-delete", image)

    def _glance_imports(self):
        formats = ("--disk-format", "raw", "--container-format", "bare")
        image = str(uuid.uuid4())
        direct = ("--import-method", "glance-direct", "--file", self._file)
        self._try("glance image-create-via-import", "--id", image, "--name", "imported", *formats, *direct, says=image)
        self._await_status(image, "active")
        self._request("DELETE", f"/v2/images/{image}")
        image = str(uuid.uuid4())
        self._try("glance image-create", "--id", image, "--name", "staged", *formats, says="queued")
        self._try("glance image-stage", image, "--file", self._file)
        self._try("glance image-import", image, "--import-method", "glance-direct", says=image)
        self._await_status(image, "active")
        self._request("DELETE", f"/v2/images/{image}")

    def _glance_locations(self):
        body = {"name": "far", "disk_format": "raw", "container_format": "bare"}
        image = self._request("POST", "/v2/images", json=body).json()["id"]
        self._try("glance location-add", image, "--url", self._web, says=image)
        self._try("glance location-update", image, "--url", self._web, "--metadata", '{"note": "mine"}')
        self._try("glance location-add", image, "--url", f"{self._web}?again", says=image)
        self._try("glance location-delete", image, "--url", self._web)
        self._request("DELETE", f"/v2/images/{image}")
        image = self._request("POST", "/v2/images", json=body).json()["id"]
        self._try("glance add-location", image, "--url", self._web)
        self._request("DELETE", f"/v2/images/{image}")

    def _glance_members_and_tasks(self):
        image = self._new_image(visibility="shared")
        self._try("glance member-create", image, self._member, says="pending")
        self._try("glance member-list", "--image-id", image, says=self._member)
        self._try("glance member-get", image, self._member, says="pending")
        self._try("glance member-update", image, self._member, "accepted", says="accepted")
        self._try("glance member-delete", image, self._member)
        source = {"import_from": self._web, "import_from_format": "raw", "image_properties": {"disk_format": "raw"}}
        self._try("glance task-create", "--type", "import", "--input", json.dumps(source), says="import")
        self._try("glance task-list", says="import")
        task = self._request("GET", "/v2/tasks").json()["tasks"][0]["id"]
        self._try("glance task-show", task, says=task)

    def _glance_metadefs(self):
        self._try("glance md-namespace-create", "Acme", "--display-name", "Disks", says="Disks")
        self._try("glance md-namespace-list", says="Acme")
        self._try("glance md-namespace-update", "Acme", "--description", "of Acme", says="of Acme")
        self._try("glance md-namespace-show", "Acme", says="of Acme")
        self._try("glance md-resource-type-list", says="OS::Glance::Image")
        self._try("glance md-resource-type-associate", "Acme", "--name", "OS::Glance::Image", says="OS::Glance::Image")
        self._try("glance md-namespace-resource-type-list", "Acme", says="OS::Glance::Image")
        self._try("glance md-resource-type-deassociate", "Acme", "OS::Glance::Image")
        bus = ("--name", "bus", "--title", "Bus", "--type", "string", "--schema", '{"enum": ["scsi"]}')
        self._try("glance md-property-create", "Acme", *bus, says="Bus")
        self._try("glance md-property-list", "Acme", says="bus")
        self._try("glance md-property-update", "Acme", "bus", "--title", "Wide bus", says="Wide bus")
        self._try("glance md-property-show", "Acme", "bus", says="Wide bus")
        self._try("glance md-property-delete", "Acme", "bus")
        self._try("glance md-namespace-properties-delete", "Acme")
        tuning = json.dumps({"properties": json.loads(self._schema)})
        self._try("glance md-object-create", "Acme", "--name", "Tuning", "--schema", tuning, says="Tuning")
        self._try("glance md-object-list", "Acme", says="Tuning")
        self._try("glance md-object-property-show", "Acme", "Tuning", "depth", says="Depth")
        self._try("glance md-object-update", "Acme", "Tuning", "--name", "Speed", says="Speed")
        self._try("glance md-object-show", "Acme", "Speed", says="Speed")
        self._try("glance md-object-delete", "Acme", "Speed")
        self._try("glance md-namespace-objects-delete", "Acme")
        self._try("glance md-tag-create", "Acme", "--name", "fast", says="fast")
        self._try("glance md-tag-create-multiple", "Acme", "--names", "fast,safe", says="safe")
        self._try("glance md-tag-list", "Acme", says="fast")
        self._try("glance md-tag-update", "Acme", "fast", "--name", "quick", says="quick")
        self._try("glance md-tag-show", "Acme", "quick", says="quick")
        self._try("glance md-tag-delete", "Acme", "quick")
        self._try("glance md-namespace-tags-delete", "Acme")
        self._try("glance md-namespace-delete", "Acme")
        file = self._file.with_name("acme.json")
        file.write_text(json.dumps({"namespace": "Acme file", "display_name": "From a file"}))
        self._try("glance md-namespace-import", "--file", file, says="From a file")

    def _glance_cache(self):
        image = self._new_image()
        self._try("glance cache-queue", image)
        self._try("glance cache-list", says=image)
        eventually(lambda: self._cached(image), "the image is cached")
        self._try("glance cache-nodes-list", image)
        self._try("glance cache-prune")
        self._try("glance cache-clean")
        self._try("glance cache-delete", image)
        self._try("glance cache-clear", "--target", "both")

    def _cached(self, image):
        cached = self._request("GET", "/v2/cache").json()["cached_images"]
        return image in [each["image_id"] for each in cached]

    def _glance_service(self):
        self._try("glance stores-info", "--detail", says="spare")
        self._try("glance import-info", says="import-methods")
        self._try("glance usage")
        self._try("glance explain", "image", says="min_disk")
        self._try("glance help", "image-list", says="usage: glance image-list")
        self._try("glance bash-completion", says="image-list")
