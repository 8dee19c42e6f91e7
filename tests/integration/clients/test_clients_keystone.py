"""The unmodified clients under a real Keystone, and what callers of every kind may do there."""

import hashlib
import io
import json
import os
import uuid
from pathlib import Path

import fixtures
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests.integration.base import ServiceTestCase
from tests.integration.cloud import CloudService

CONTENT = os.urandom(300_000)
FORMATS = {"disk_format": "raw", "container_format": "bare"}

PROTECTION = """
[^x_secret$]
create = service,admin
read = service,admin
update = service,admin
delete = service,admin
[.*]
create = @
read = @
update = @
delete = @
"""
OPEN_POLICY = """
get_images: ""
get_image: "'public':%(visibility)s or role:reader"
download_image: "'public':%(visibility)s or role:member"
"""


class KeystoneTestCase(ServiceTestCase):
    """An image service that asks the real Keystone."""

    def start(self, more=""):
        """Return the running service."""
        self.running = self.useFixture(CloudService(self.service("keystone"), more))
        self.cloud = self.running.cloud
        return self.running

    def request(self, user, method, path, **arguments):
        """Return the answer to ``user``; None is somebody without a token."""
        return self.running.request(user, method, path, **arguments)

    def create(self, user, **properties):
        """Return the id of a new image."""
        answer = self.request(user, "POST", "/v2/images", json={"name": "disk", **FORMATS, **properties})
        self.assertEqual(201, answer.status_code, answer.text)
        return answer.json()["id"]

    def upload(self, user, image, data):
        """Return the answer to an upload."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.request(user, "PUT", f"/v2/images/{image}/file", data=data, headers=headers)

    def status(self, user, method, path, **arguments):
        """Return the status alone."""
        return self.request(user, method, path, **arguments).status_code


class CommandTestCase(KeystoneTestCase):
    """A command line client, an image's content in a file, and a place to save it."""

    def setUp(self):
        super().setUp()
        self.start()
        self.client = self.running.client()
        self.file = self.running.served.root / "disk.raw"
        self.file.write_bytes(CONTENT)
        self.saved = self.running.served.root / "saved.raw"


class OpenStackClientTest(CommandTestCase):
    def openstack(self, user, *words):
        """Return what ``openstack`` printed for ``user``."""
        return self.client.call("openstack", "--os-cloud", user, *words).strip()

    def shown(self, user, *words):
        """Return what ``openstack`` printed for ``user``, from JSON."""
        return json.loads(self.openstack(user, *words, "-f", "json"))

    def test_image_is_made_changed_saved_and_deleted(self):
        created = self.shown("alice", "image", "create", "disk", "--file", str(self.file), "--property", "empty=")
        owner = self.cloud.project_id("alice")
        self.assertEqual(("active", owner, len(CONTENT)), (created["status"], created["owner"], created["size"]))
        self.assertEqual("disk", self.openstack("alice", "image", "list", "-f", "value", "-c", "Name"))
        properties = ("--property", "os_distro=leap", "--property", "spare=1")
        self.openstack("alice", "image", "set", "disk", *properties, "--tag", "x86", "--tag", "new", "--protected")
        self.openstack("alice", "image", "unset", "disk", "--property", "spare", "--tag", "new")
        shown = self.shown("alice", "image", "show", "disk")
        self.assertEqual(("leap", ["x86"], True), (shown["properties"]["os_distro"], shown["tags"], shown["protected"]))
        self.assertNotIn("spare", shown["properties"])
        self.openstack("alice", "image", "save", "disk", "--file", str(self.saved))
        self.assertEqual(CONTENT, self.saved.read_bytes())
        refused = self.assertRaises(AssertionError, self.openstack, "alice", "image", "delete", "disk")
        self.assertIn("protected", str(refused))
        self.openstack("alice", "image", "set", "disk", "--unprotected")
        self.openstack("alice", "image", "delete", "disk")
        self.assertEqual([], self.shown("alice", "image", "list"))

    def test_project_is_named_by_name_and_takes_part_by_its_own_answer(self):
        self.openstack("alice", "image", "create", "--shared", "disk")
        image = self.shown("alice", "image", "show", "disk")["id"]
        # A member may not look projects up in Keystone: alice gives the id, the administrator a name.
        other = self.cloud.project_id("bob")
        self.openstack("alice", "image", "add", "project", "disk", other)
        members = self.shown("alice", "image", "member", "list", "disk")
        self.assertEqual([(other, "pending")], [(row["Member ID"], row["Status"]) for row in members])
        self.assertEqual([], self.shown("bob", "image", "list"))
        self.openstack("bob", "image", "set", "--accept", image)
        self.assertEqual(["disk"], [row["Name"] for row in self.shown("bob", "image", "list")])
        self.openstack("admin", "image", "remove", "project", image, "other")
        self.assertEqual([], self.shown("alice", "image", "member", "list", "disk"))
        self.openstack("admin", "image", "add", "project", image, "other")
        self.assertEqual([other], [row["Member ID"] for row in self.shown("alice", "image", "member", "list", image)])


class GlanceClientTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.access = {user: self._options(user) for user in ("alice", "bob", "admin")}

    def _options(self, user):
        words = {**self.cloud.login(user), "region_name": self.cloud.region}
        return [word for name, value in words.items() for word in (f"--os-{name.replace('_', '-')}", value)]

    def glance(self, user, *words):
        """Return what ``glance`` printed for ``user``."""
        return self.client.call("glance", *self.access[user], *words)

    def test_image_is_made_changed_downloaded_and_deleted(self):
        formats = ("--disk-format", "raw", "--container-format", "bare")
        self.glance("alice", "image-create", "--name", "disk", *formats, "--file", str(self.file))
        image = self.request("alice", "GET", "/v2/images").json()["images"][0]
        identity = image["id"]
        self.assertEqual(("active", len(CONTENT)), (image["status"], image["size"]))
        self.assertIn("leap", self.glance("alice", "image-update", identity, "--property", "os_distro=leap"))
        removed = self.glance("alice", "image-update", identity, "--remove-property", "os_distro", "--name", "renamed")
        self.assertIn("renamed", removed)
        self.assertNotIn("leap", removed)
        self.glance("alice", "image-tag-update", identity, "x86")
        self.assertIn("x86", self.glance("alice", "image-show", identity))
        self.glance("alice", "image-tag-delete", identity, "x86")
        self.assertNotIn("x86", self.glance("alice", "image-show", identity))
        self.assertIn("renamed", self.glance("alice", "image-list"))
        self.glance("alice", "image-download", identity, "--file", str(self.saved))
        self.assertEqual(CONTENT, self.saved.read_bytes())
        self.glance("alice", "image-deactivate", identity)
        self.assertIn("deactivated", self.glance("alice", "image-show", identity))
        refused = self.assertRaises(AssertionError, self.glance, "alice", "image-download", identity, "--file", "no")
        self.assertIn("403", str(refused))
        self.glance("alice", "image-reactivate", identity)
        self.glance("alice", "image-delete", identity)
        self.assertEqual([], self.request("alice", "GET", "/v2/images").json()["images"])

    def test_image_made_without_data_is_uploaded_later(self):
        image = self.create("alice")
        self.glance("alice", "image-upload", image, "--file", str(self.file))
        self.assertEqual("active", self.request("alice", "GET", f"/v2/images/{image}").json()["status"])

    def test_project_is_added_asked_and_removed(self):
        image, other = self.create("alice"), self.cloud.project_id("bob")
        self.glance("alice", "member-create", image, other)
        self.assertIn("pending", self.glance("alice", "member-list", "--image-id", image))
        self.assertIn("accepted", self.glance("bob", "member-update", image, other, "accepted"))
        self.assertIn(image, self.glance("bob", "image-list"))
        self.assertIn(other, self.glance("alice", "member-get", image, other))
        self.glance("alice", "member-delete", image, other)
        self.assertEqual(404, self.status("bob", "GET", f"/v2/images/{image}"))

    def test_service_tells_what_it_is_made_of(self):
        self.assertIn("images", self.glance("alice", "stores-info"))
        self.assertIn("data_dir", self.glance("admin", "stores-info", "--detail"))
        self.assertIn("import-methods", self.glance("alice", "import-info"))
        self.assertIn("min_disk", self.glance("alice", "explain", "image"))
        self.assertIn("member_id", self.glance("alice", "explain", "member"))
        self.glance("alice", "usage")


class SDKTest(CommandTestCase):
    def test_image_is_made_from_a_file_found_updated_streamed_and_deleted(self):
        cloud = self.cloud.connect("alice")
        self.addCleanup(cloud.close)
        image = cloud.create_image("disk", filename=str(self.file), wait=True, tags=["x86"], empty="", **FORMATS)
        self.assertEqual(("active", ["x86"]), (image.status, image.tags))
        found = cloud.image.find_image("disk", ignore_missing=False)
        self.assertEqual((image.id, hashlib.md5(CONTENT).hexdigest()), (found.id, found.checksum))
        changed = cloud.image.update_image(found, name="renamed", os_distro="leap")
        self.assertEqual(("renamed", "leap"), (changed.name, changed.os_distro))
        output = io.BytesIO()
        cloud.image.download_image(changed, stream=True, output=output)
        self.assertEqual(CONTENT, output.getvalue())
        chunks = cloud.image.download_image(changed, stream=True).iter_content(chunk_size=65536)
        self.assertEqual(CONTENT, b"".join(chunks))
        cloud.image.add_tag(changed, "new")
        cloud.image.remove_tag(changed, "x86")
        self.assertEqual(["new"], cloud.image.get_image(changed).tags)
        cloud.image.deactivate_image(changed)
        self.assertEqual("deactivated", cloud.image.get_image(changed).status)
        cloud.image.reactivate_image(changed)
        cloud.image.delete_image(changed)
        self.assertIsNone(cloud.image.find_image("renamed", ignore_missing=True))

    def test_membership_is_offered_and_accepted(self):
        alice, bob = self.cloud.connect("alice"), self.cloud.connect("bob")
        self.addCleanup(alice.close)
        self.addCleanup(bob.close)
        image, other = alice.image.create_image("disk", **FORMATS), self.cloud.project_id("bob")
        member = alice.image.add_member(image, member=other)
        self.assertEqual((other, "pending"), (member.member_id, member.status))
        self.assertEqual([], list(bob.image.images()))
        self.assertEqual("accepted", bob.image.update_member(other, image, status="accepted").status)
        self.assertEqual([image.id], [each.id for each in bob.image.images()])
        self.assertEqual([other], [each.member_id for each in alice.image.members(image)])
        alice.image.remove_member(other, image)
        self.assertEqual([], list(bob.image.images()))


class AccessTest(KeystoneTestCase):
    def test_foreign_private_image_is_unknown_and_a_shared_one_follows_its_members_answer(self):
        self.start()
        other = self.cloud.project_id("bob")
        private = f"/v2/images/{self.create('alice', visibility='private')}"
        image = f"/v2/images/{self.create('alice')}"
        member = f"{image}/members/{other}"
        for method, path in (("GET", private), ("DELETE", private), ("GET", f"{private}/file"), ("GET", image)):
            self.assertEqual(404, self.status("bob", method, path), (method, path))
        shared = self.request("alice", "POST", f"{image}/members", json={"member": other})
        self.assertEqual((200, "pending"), (shared.status_code, shared.json()["status"]))
        self.assertEqual([], self._listed("bob"))
        self.assertEqual(200, self.status("bob", "GET", image))
        waiting = self._listed("bob", "?visibility=shared&member_status=pending")
        self.assertEqual([image], waiting)
        self.assertEqual(200, self.status("bob", "PUT", member, json={"status": "accepted"}))
        self.assertEqual([image], self._listed("bob"))
        self.assertEqual(403, self.status("alice", "PUT", member, json={"status": "rejected"}))
        self.assertEqual(403, self.status("bob", "DELETE", image))
        rows = self.request("bob", "GET", f"{image}/members").json()["members"]
        self.assertEqual([other], [row["member_id"] for row in rows])
        self.assertEqual(404, self.status("glance", "GET", image))
        self.assertEqual(204, self.status("alice", "DELETE", member))
        self.assertEqual(404, self.status("bob", "GET", image))

    def test_reader_reads_and_changes_nothing(self):
        self.start()
        image = f"/v2/images/{self.create('alice')}"
        self.assertEqual([image], self._listed("reader"))
        refused = [
            self.status("reader", "POST", "/v2/images", json={"name": "mine"}),
            self.status("reader", "PUT", f"{image}/tags/x"),
            self.status("reader", "DELETE", image),
            self.status("reader", "POST", f"{image}/members", json={"member": "p"}),
        ]
        self.assertEqual([403] * 4, refused)

    def test_admin_sees_and_changes_the_images_of_all_projects(self):
        self.start()
        image = f"/v2/images/{self.create('alice', visibility='private')}"
        self.assertEqual([image], self._listed("admin"))
        public = [{"op": "replace", "path": "/visibility", "value": "public"}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        self.assertEqual(403, self.status("alice", "PATCH", image, json=public, headers=headers))
        self.assertEqual(200, self.status("admin", "PATCH", image, json=public, headers=headers))
        self.assertEqual([image], self._listed("bob"))

    def test_nobody_gets_in_without_a_token_that_keystone_confirms(self):
        self.start()
        revoked = self.cloud.session("alice").get_token()
        own = {"X-Auth-Token": revoked, "X-Subject-Token": revoked}
        requests.delete(f"{self.cloud.keystone_url}/auth/tokens", headers=own, timeout=30).raise_for_status()
        for headers in ({}, {"X-Auth-Token": "guess"}, {"X-Auth-Token": revoked}, {"X-Auth-Token": "x" * 5000}):
            answer = self.request(None, "GET", "/v2/images", headers=headers)
            self.assertEqual(401, answer.status_code)
            self.assertIn(self.cloud.keystone_url, answer.headers["WWW-Authenticate"])
        for path, status in (("/", 300), ("/versions", 200), ("/healthcheck", 200)):
            self.assertEqual(status, self.status(None, "GET", path))
        # What only Keystone's middleware may say counts for nothing when a client says it.
        forged = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "u", "X-Project-Id": "p"}
        self.assertEqual(401, self.status(None, "GET", "/v2/images", headers=forged))

    def test_administrators_of_a_domain_or_of_the_system_are_none_here(self):
        self.start()
        image = f"/v2/images/{self.create('alice', visibility='private')}"
        identity = self.cloud.identity
        bob, admin = identity.find_user("bob"), identity.find_role("admin")
        identity.assign_domain_role_to_user("default", bob, admin)
        self.addCleanup(identity.unassign_domain_role_from_user, "default", bob, admin)
        for user, scope in (("bob", {"domain_id": "default"}), ("admin", {"system_scope": "all"})):
            token = self.cloud.session(user, **scope).get_token()
            for method, path in (("GET", "/v2/images"), ("GET", image), ("DELETE", image), ("POST", "/v2/images")):
                answer = self.request(None, method, path, headers={"X-Auth-Token": token})
                self.assertIn(answer.status_code, (400, 403, 404), (scope, method, path))
        self.assertEqual(200, self.status("alice", "GET", image))

    def test_application_credential_works_within_its_access_rules(self):
        self.start()
        alice = self.cloud.connect("alice")
        self.addCleanup(alice.close)
        made = alice.identity.create_application_credential(
            alice.current_user_id,
            uuid.uuid4().hex,
            access_rules=[{"service": "image", "method": "GET", "path": "/v2/images"}],
        )
        self.addCleanup(alice.identity.delete_application_credential, alice.current_user_id, made)
        plugin = v3.ApplicationCredential(
            self.cloud.keystone_url, application_credential_id=made.id, application_credential_secret=made.secret
        )
        headers = {"X-Auth-Token": session.Session(auth=plugin).get_token()}
        self.assertEqual(200, self.status(None, "GET", "/v2/images", headers=headers))
        self.assertEqual(401, self.status(None, "POST", "/v2/images", json={}, headers=headers))

    def test_service_token_adds_its_roles_and_is_no_key_of_its_own(self):
        self.start(f"[DEFAULT]\nproperty_protection_file = {self._file('protection.conf', PROTECTION)}\n")
        image = f"/v2/images/{self.create('admin', visibility='public', x_secret='42')}"
        service = {"X-Service-Token": self.running.headers("glance")["X-Auth-Token"]}
        self.assertNotIn("x_secret", self.request("alice", "GET", image).json())
        self.assertEqual("42", self.request("alice", "GET", image, headers=service).json().get("x_secret"))
        self.assertEqual(401, self.status(None, "GET", image, headers=service))
        # The token of a user without the role that service tokens need.
        for other in (self.running.headers("bob")["X-Auth-Token"], "guess"):
            answer = self.request("alice", "GET", image, headers={"X-Service-Token": other})
            self.assertNotIn("x_secret", answer.json() if answer.status_code == 200 else {})

    def test_anonymous_callers_read_what_the_rules_open_and_change_nothing(self):
        self.start(self._anonymous())
        public, private = self.create("admin", visibility="public"), self.create("alice", visibility="private")
        self.assertEqual(204, self.upload("admin", public, b"content").status_code)
        self.assertEqual([f"/v2/images/{public}"], self._listed(None))
        self.assertEqual(b"content", self.request(None, "GET", f"/v2/images/{public}/file").content)
        self.assertEqual(404, self.status(None, "GET", f"/v2/images/{private}"))
        self.assertEqual(403, self.status(None, "POST", "/v2/images", json={"name": "mine"}))
        self.assertEqual(403, self.status(None, "DELETE", f"/v2/images/{public}"))
        self.assertEqual(403, self.status(None, "PUT", f"/v2/images/{public}/tags/x"))

    def _listed(self, user, query=""):
        answer = self.request(user, "GET", f"/v2/images{query}")
        self.assertEqual(200, answer.status_code, answer.text)
        return [image["self"] for image in answer.json()["images"]]

    def _anonymous(self):
        rules = self._file("policy.yaml", OPEN_POLICY)
        return f"[DEFAULT]\nallow_anonymous_access = true\n[oslo_policy]\npolicy_file = {rules}\n"

    def _file(self, name, content):
        path = self.useFixture(fixtures.TempDir()).join(name)
        Path(path).write_text(content)
        return path
