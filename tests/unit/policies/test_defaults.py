"""What the default rules say to whom, one row for each rule."""

from pathlib import Path

import testtools

from glance_mini import conf
from glance_mini.domain.context import Context
from glance_mini.policies import list_rules
from glance_mini.policies.enforcer import Enforcer

OWN, SHARED_WITH, OTHER, CLOUD = "own-project", "shared-with-project", "other-project", "cloud-project"

CALLERS = {
    "admin": Context(project_id=CLOUD, roles=("admin", "member", "reader"), is_admin=True),
    "member of the owner": Context(project_id=OWN, roles=("member", "reader")),
    "reader of the owner": Context(project_id=OWN, roles=("reader",)),
    "member of a project it is shared with": Context(project_id=SHARED_WITH, roles=("member", "reader")),
    "member of another project": Context(project_id=OTHER, roles=("member", "reader")),
    "service": Context(project_id=CLOUD, roles=("service",)),
    "anonymous": Context(read_only=True),
}

EVERYBODY = "1111111"
ADMIN = "1000000"
ADMIN_OR_SERVICE = "1000010"
OWNERS_MEMBER = "1100000"
OWNERS_READER = "1110000"
SEEN_BY_READERS = "1111000"
SEEN_BY_MEMBERS = "1101000"

TABLE = {
    "default": EVERYBODY,
    "context_is_admin": ADMIN,
    "service_api": ADMIN_OR_SERVICE,
    "add_image": OWNERS_MEMBER,
    "delete_image": OWNERS_MEMBER,
    "restore_image": OWNERS_MEMBER,
    "purge_image": OWNERS_MEMBER,
    "get_image": SEEN_BY_READERS,
    "get_images": OWNERS_READER,
    "watch_events": OWNERS_READER,
    "modify_image": OWNERS_MEMBER,
    "publicize_image": ADMIN,
    "communitize_image": OWNERS_MEMBER,
    "deactivate": OWNERS_MEMBER,
    "reactivate": OWNERS_MEMBER,
    "coalesce_image": OWNERS_MEMBER,
    "rebase_image": OWNERS_MEMBER,
    "convert_image": OWNERS_MEMBER,
    "copy_image": ADMIN,
    "download_image": SEEN_BY_MEMBERS,
    "add_link": SEEN_BY_MEMBERS,
    "get_links": SEEN_BY_MEMBERS,
    "delete_link": SEEN_BY_MEMBERS,
    "download_from_store": SEEN_BY_MEMBERS,
    "upload_image": OWNERS_MEMBER,
    "delete_image_location": ADMIN,
    "get_image_location": OWNERS_READER,
    "set_image_location": OWNERS_MEMBER,
    "add_image_location": "1100010",
    "fetch_image_location": ADMIN_OR_SERVICE,
    "add_member": OWNERS_MEMBER,
    "delete_member": OWNERS_MEMBER,
    "get_member": SEEN_BY_READERS,
    "get_members": SEEN_BY_READERS,
    "modify_member": "1001000",
    "stores_info_detail": ADMIN_OR_SERVICE,
    "tasks_api_access": ADMIN,
    "cancel_task": ADMIN,
    "retry_task": ADMIN,
    "list_usage": ADMIN,
    "check_configuration": ADMIN,
    "get_task": EVERYBODY,
    "get_tasks": EVERYBODY,
    "add_task": EVERYBODY,
    "modify_task": EVERYBODY,
    "manage_image_cache": ADMIN,
    "list_cached_nodes": ADMIN,
    "cache_image": ADMIN,
    "cache_list": ADMIN,
    "cache_delete": ADMIN,
    "cache_clean": ADMIN,
    "cache_prune": ADMIN,
    "metadef_default": EVERYBODY,
    "metadef_admin": ADMIN,
    "get_metadef_namespace": OWNERS_READER,
    "get_metadef_namespaces": OWNERS_READER,
    "add_metadef_namespace": ADMIN,
    "modify_metadef_namespace": ADMIN,
    "delete_metadef_namespace": ADMIN,
    "get_metadef_object": OWNERS_READER,
    "get_metadef_objects": OWNERS_READER,
    "add_metadef_object": ADMIN,
    "modify_metadef_object": ADMIN,
    "delete_metadef_object": ADMIN,
    "list_metadef_resource_types": OWNERS_READER,
    "get_metadef_resource_type": OWNERS_READER,
    "add_metadef_resource_type_association": ADMIN,
    "remove_metadef_resource_type_association": ADMIN,
    "get_metadef_property": OWNERS_READER,
    "get_metadef_properties": OWNERS_READER,
    "add_metadef_property": ADMIN,
    "modify_metadef_property": ADMIN,
    "remove_metadef_property": ADMIN,
    "get_metadef_tag": OWNERS_READER,
    "get_metadef_tags": OWNERS_READER,
    "add_metadef_tag": ADMIN,
    "add_metadef_tags": ADMIN,
    "modify_metadef_tag": ADMIN,
    "delete_metadef_tag": ADMIN,
    "delete_metadef_tags": ADMIN,
}

VISIBLE = {
    "get_image": {"public": "1111100", "community": "1111100", "shared": "1111100", "private": SEEN_BY_READERS},
    "download_image": {"public": "1101100", "community": "1101100", "shared": "1101100", "private": SEEN_BY_MEMBERS},
    "add_link": {"public": "1101100", "community": "1101100", "shared": "1101100", "private": SEEN_BY_MEMBERS},
    "get_links": {"public": "1101100", "community": "1101100", "shared": "1101100", "private": SEEN_BY_MEMBERS},
    "delete_link": {"public": "1101100", "community": "1101100", "shared": "1101100", "private": SEEN_BY_MEMBERS},
    "get_metadef_namespace": {"public": "1111100", "private": OWNERS_READER},
}


def target(visibility="private"):
    return {
        "id": "an-image",
        "owner": OWN,
        "project_id": OWN,
        "member_id": SHARED_WITH,
        "visibility": visibility,
    }


class TestDefaults(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.enforcer = Enforcer.from_config(conf.load(system_file=Path("/nonexistent")))

    def answers(self, rule, visibility="private"):
        found = [self.enforcer.check(rule, target(visibility), caller) for caller in CALLERS.values()]
        return "".join(str(int(allowed)) for allowed in found)

    def test_every_rule_lets_pass_whom_the_table_says(self):
        self.assertEqual(TABLE, {rule.name: self.answers(rule.name) for rule in list_rules()})

    def test_what_is_visible_to_others_can_be_read_by_their_readers_and_downloaded_by_their_members(self):
        for rule, expected in VISIBLE.items():
            self.assertEqual(expected, {visibility: self.answers(rule, visibility) for visibility in expected})

    def test_an_image_for_another_project_is_created_by_an_administrator_only(self):
        mine_for_another = {"project_id": OWN, "owner": OTHER, "visibility": "shared"}
        member, admin = CALLERS["member of the owner"], CALLERS["admin"]

        self.assertFalse(self.enforcer.check("add_image", mine_for_another, member))
        self.assertTrue(self.enforcer.check("add_image", mine_for_another, admin))

    def test_every_rule_refuses_the_scope_of_the_system_and_of_a_domain(self):
        for scope in ({"system_scope": "all"}, {"domain_id": "default"}):
            admin = Context(roles=("admin", "service", "member", "reader"), **scope)

            for rule in list_rules():
                self.assertFalse(self.enforcer.check(rule.name, target("public"), admin), rule.name)
            self.assertFalse(self.enforcer.context_is_admin(admin))

    def test_the_roles_of_a_service_token_do_not_count(self):
        caller = Context(project_id=OTHER, roles=("reader",), service_roles=("service",))

        self.assertFalse(self.enforcer.check("fetch_image_location", target(), caller))

    def test_callers_without_project_own_nothing(self):
        nobodys = {"project_id": None, "owner": None, "member_id": None, "visibility": "private"}
        homeless = Context(roles=("member", "reader"))

        for rule in ("get_image", "modify_image", "add_image", "get_member", "modify_member"):
            self.assertFalse(self.enforcer.check(rule, nobodys, homeless), rule)

    def test_who_was_made_an_administrator_needs_no_role(self):
        for rule in ("get_image", "publicize_image", "add_image", "add_metadef_tag"):
            self.assertTrue(self.enforcer.check(rule, target(), Context(is_admin=True)), rule)

    def test_who_is_an_administrator_is_said_by_the_roles(self):
        self.assertTrue(self.enforcer.context_is_admin(Context(roles=("admin",))))
        self.assertFalse(self.enforcer.context_is_admin(Context(roles=("member",), is_admin=True)))

    def test_every_rule_is_described_for_project_scope(self):
        for rule in list_rules():
            self.assertEqual(["project"], rule.scope_types, rule.name)
            self.assertTrue(rule.description, rule.name)

    def test_who_is_an_administrator_or_a_service_is_asked_in_one_place(self):
        naming_roles = {rule.name for rule in list_rules() if "role:admin" in rule.check_str}

        self.assertEqual({"context_is_admin", "service_api"}, naming_roles)
