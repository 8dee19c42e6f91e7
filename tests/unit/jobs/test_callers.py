"""Who is an administrator is decided by the policy rules when a job is made, and not again by its worker."""

from dataclasses import replace

from glance_mini.domain.errors import Forbidden
from glance_mini.domain.imports import ImportRequest
from glance_mini.domain.query import ImageQuery
from glance_mini.operations.images import CreateImage, ListImages
from glance_mini.operations.imports import ImportImage, StageData
from glance_mini.operations.jobs import GetJob
from glance_mini.operations.tasks import CreateTask
from glance_mini.testing.samples import make_context
from glance_mini.workers.base import context_of
from tests.unit.jobs.support import DATA, SHA256
from tests.unit.jobs.test_import_task import TaskCase


class TestCallers(TaskCase):
    policy = (
        'context_is_admin: "role:boss"\n'
        'tasks_api_access: "rule:context_is_admin or role:member"\n'
        'publicize_image: "rule:context_is_admin or '
        '(service_roles:service and project_domain_id:d and user_domain_id:e)"\n'
    )

    def caller_with(self, *roles, **values):
        """Return the caller as the filters make it: the rule says whether it is an administrator."""
        context = make_context(project_id="p1", roles=roles, **values)
        return replace(context, is_admin=self.services.enforcer.context_is_admin(context))

    def test_administrator_of_another_name_imports_into_an_image_of_another_project(self):
        boss = self.caller_with("boss", user_id="b")
        formats = {"disk_format": "raw", "container_format": "bare", "owner": "p2"}
        image = self.stack.call(boss, CreateImage(base=formats))
        self.stack.call(boss, StageData(image.id, chunks=[DATA], size=len(DATA)))
        method = {"name": "glance-direct"}
        request = ImportRequest(method, body={"method": method})
        job = self.stack.call(boss, ImportImage(image.id, request=request))
        self.run_to_the_end()
        self.assertTrue(context_of(self.services.data.run(GetJob(job.id))).is_admin)
        image = self.image(image.id)
        self.assertEqual(("active", SHA256, "p2"), (image.status, image.os_hash_value, image.owner))

    def test_administrator_of_another_name_makes_a_public_image_of_another_project_by_a_task(self):
        boss = self.caller_with("boss", user_id="b")
        self.ask_as(boss, visibility="public", owner="p2")
        self.run_to_the_end()
        [image] = self.images()
        self.assertEqual(("active", "public", "p2"), (image.status, image.visibility, image.owner))

    def test_role_named_admin_makes_nobody_an_administrator_in_a_task(self):
        named = self.caller_with("admin", "member", "reader", user_id="a")
        for properties in ({"visibility": "public"}, {"owner": "p2"}, {"visibility": "public", "owner": "p2"}):
            job = self.ask_as(named, **properties)
            self.run_to_the_end()
            self.assertEqual("failure", self.job(job.id).state, properties)
            self.assertFalse(context_of(self.job(job.id)).is_admin)
        self.assertEqual((), self.call(ListImages(ImageQuery())).images)

    def test_service_token_and_domains_count_in_a_task_as_they_do_in_a_request(self):
        full = {"service_roles": ("service",), "project_domain_id": "d", "user_domain_id": "e"}
        for values in (full, *({**full, name: None if name.endswith("id") else ()} for name in full)):
            caller = self.caller_with("member", **values)
            if values == full:
                self.stack.call(caller, CreateImage(base={"visibility": "public"}))
            else:
                self.assertRaises(Forbidden, self.stack.call, caller, CreateImage(base={"visibility": "public"}))
            job = self.ask_as(caller, visibility="public")
            self.run_to_the_end()
            self.assertEqual("success" if values == full else "failure", self.job(job.id).state, values)

    def ask_as(self, caller, **properties):
        """Return the job of a task of ``caller`` that makes an image with ``properties``."""
        values = {"import_from": self.server.url(), "import_from_format": "raw", "image_properties": properties}
        return self.stack.call(caller, CreateTask("import", values))
