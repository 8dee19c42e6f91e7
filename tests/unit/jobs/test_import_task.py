"""The task ``import``: an image that is made and imported by one job."""

import gzip

from glance_mini.domain.job import new_job
from glance_mini.domain.query import ImageQuery
from glance_mini.jobs.import_task import ImportTask
from glance_mini.operations.images import DeleteImage, ListImages
from glance_mini.operations.jobs import AddJob, CancelJob, GetJob
from glance_mini.operations.records import CountUsage
from glance_mini.operations.tasks import CreateTask
from glance_mini.testing.samples import make_context
from glance_mini.workers.base import JobType
from glance_mini_store import errors as store_errors
from tests.unit.content.disk_images import qcow2
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.support import DATA, SHA256, Death, Dying, ImportCase

MEMBER = make_context(user_id="u1", project_id="p1", roles=("member", "reader"), request_id="req-1")
DONE = (None, "", "")


class TaskCase(ImportCase):
    quota = "0"
    import_plugins = ""

    def settings(self):
        self.server = self.useFixture(RawServer(response(DATA)))
        return {
            "DEFAULT": {
                # What users may ask for themselves says nothing of tasks.
                "enabled_import_methods": "glance-direct",
                "hashing_algorithm": "sha256",
                "user_storage_quota": self.quota,
                "image_property_quota": 3,
            },
            "image_import_opts": {"image_import_plugins": self.import_plugins},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": self.server.port},
        }

    def setUp(self):
        super().setUp()
        self.job_types["import"] = self.task_type(self.stack)

    def task_type(self, stack):
        return ImportTask.from_config(self.application.conf, self.services, stack)

    def ask(self, caller=None, **properties):
        """Return the id of a task that waits for a worker; ``caller`` None: an administrator."""
        values = {
            "import_from": self.server.url(),
            "import_from_format": "raw",
            "image_properties": properties,
        }
        if caller is None:
            return self.call(CreateTask("import", values)).id
        return self.services.data.run(AddJob(new_job(caller, "import", values, stores=("disk",)))).id

    def job(self, task_id):
        return self.services.data.run(GetJob(task_id))

    def images(self):
        """Return all images that there are."""
        return self.call(ListImages(ImageQuery())).images

    def assert_done(self, task_id):
        """Return the one image that there is, which is what the task has made."""
        [image] = self.images()
        self.assertEqual(("active", len(DATA), SHA256), (image.status, image.size, image.os_hash_value))
        self.assertEqual((DONE, DATA), (self.progress(image), self.download(image.id)))
        job = self.job(task_id)
        self.assertEqual(("success", {"image_id": image.id}, image.id), (job.state, job.result, job.image_id))
        self.assertEqual({"disk": 1}, self.kept())
        self.assertEqual(0, self.services.data.run(CountUsage(job.project_id))["image_count_uploading"])
        return image

    def assert_failed(self, task_id):
        """Return why the task failed, once nothing is left of it."""
        job = self.job(task_id)
        self.assertEqual(("failure", None), (job.state, job.result))
        self.remove_pending()
        self.assertEqual(((), {}), (self.images(), self.kept()))
        usage = self.services.data.run(CountUsage(job.project_id))
        self.assertEqual({}, {name: used for name, used in usage.items() if used})
        return job.message


class TestTask(TaskCase):
    def test_the_image_is_what_the_task_says_and_has_the_data(self):
        task_id = self.ask(name="x", visibility="public", tags=["a", "b", "a"], min_disk=3, color="red")
        self.run_to_the_end()
        image = self.assert_done(task_id)
        self.assertEqual(("x", "public", 3), (image.name, image.visibility, image.min_disk))
        self.assertEqual(("raw", "bare"), (image.disk_format, image.container_format))
        self.assertEqual(({"a", "b"}, "red"), (set(image.tags), image.properties["color"]))
        self.assertEqual(task_id, self.task(image.id).id)

    def test_the_image_is_that_of_the_user(self):
        task_id = self.ask(MEMBER)
        self.run_to_the_end()
        self.assertEqual("p1", self.assert_done(task_id).owner)

    def test_formats_of_the_properties_win(self):
        self.server.answers = (response(qcow2()),)
        task_id = self.ask(disk_format="qcow2", container_format="ova")
        self.run_to_the_end()
        [image] = self.images()
        self.assertEqual(("active", "qcow2", "ova"), (image.status, image.disk_format, image.container_format))
        self.assertEqual("success", self.job(task_id).state)

    def test_an_error_that_may_pass_brings_another_attempt_with_the_same_image(self):
        mend = self.break_store("disk", store_errors.RemoteServiceUnavailable(reason="it is being moved"))
        task_id = self.ask()
        self.run_jobs()
        [image] = self.images()
        self.assertEqual(("pending", "importing"), (self.job(task_id).state, image.status))
        self.assertEqual((task_id, "disk", ""), self.progress(image))
        mend()
        self.run_to_the_end()
        self.assertEqual(image.id, self.assert_done(task_id).id)

    def test_image_and_task_cause_each_event_once(self):
        self.ask()
        self.run_to_the_end()
        self.assertEqual(
            [
                *("task.create", "task.run", "task.processing", "image.create", "image.prepare"),
                *("image.upload", "image.activate", "image.update", "image.update", "task.success"),
            ],
            [event.type for event in self.application.events()],
        )


class TestPlugins(TaskCase):
    import_plugins = "image_decompression"

    def test_the_data_passes_the_import_plugins(self):
        self.server.answers = (response(gzip.compress(DATA)),)
        task_id = self.ask()
        self.run_to_the_end()
        self.assert_done(task_id)


class TestFailures(TaskCase):
    def fail(self, *arguments, **properties):
        """Return why a task failed at its first attempt."""
        task_id = self.ask(*arguments, **properties)
        self.run_to_the_end()
        self.assertEqual(1, self.job(task_id).attempts)
        return self.assert_failed(task_id)

    def test_what_the_server_refuses_leaves_no_image(self):
        self.server.answers = (response(status="404 Not Found"),)
        self.assertIn("404", self.fail())
        self.assertIn("404", self.fail(MEMBER, protected=True))

    def test_unsafe_data_leaves_no_image(self):
        self.server.answers = (response(qcow2(backing_file="/etc/passwd")),)
        self.assertIn("backing_file", self.fail(disk_format="qcow2"))

    def test_a_store_that_fails_leaves_no_image(self):
        self.break_store("disk")
        self.assertIn("no room", self.fail())

    def test_what_the_user_may_not_do_is_refused_as_to_a_request(self):
        self.assertIn("publicize_image", self.fail(MEMBER, visibility="public"))
        self.assertIn("owned by another project", self.fail(MEMBER, owner="p2"))
        self.assertIn("image_property_quota", self.fail(a="1", b="2", c="3", d="4"))
        self.assertEqual([], self.server.asked)

    def test_an_address_is_checked_when_it_is_asked(self):
        job = new_job(MEMBER, "import", {"import_from": "http://10.0.0.1/", "import_from_format": "raw"})
        job_id = self.services.data.run(AddJob(job)).id
        self.run_to_the_end()
        self.assertIn("10.0.0.1", self.assert_failed(job_id))

    def test_an_image_that_is_deleted_meanwhile_ends_the_task(self):
        self.break_store("disk", store_errors.RemoteServiceUnavailable(reason="it is being moved"))
        task_id = self.ask()
        self.run_jobs()
        [image] = self.images()
        self.call(DeleteImage(image.id))
        self.run_to_the_end()
        self.assertIn("deleted", self.assert_failed(task_id))

    def test_a_task_that_is_cancelled_leaves_no_image(self):
        self.break_store("disk", store_errors.RemoteServiceUnavailable(reason="it is being moved"))
        task_id = self.ask()
        self.run_jobs()
        self.assertEqual(1, len(self.images()))
        self.data.run(CancelJob(task_id))
        self.run_to_the_end()
        self.assertEqual("The job was cancelled.", self.assert_failed(task_id))

    def test_an_image_that_somebody_has_given_data_is_left_alone(self):
        task_id = self.ask()
        self.assertRaises(Death, self.worker(**{"import": Dying(self.job_types["import"])}).run_one)
        self.data.run(CancelJob(task_id))
        self.run_to_the_end()
        [image] = self.images()
        self.assertEqual(("failure", "active"), (self.job(task_id).state, image.status))
        self.assertEqual(DATA, self.download(image.id))


class TestQuota(TaskCase):
    quota = str(len(DATA) // 2)

    def test_an_image_that_is_too_large_leaves_nothing(self):
        task_id = self.ask(MEMBER)
        self.run_to_the_end()
        self.assertIn(self.quota, self.assert_failed(task_id))


class Fate:
    """Lets a worker die at a certain moment: each one is asked for."""

    def __init__(self, moment):
        self.left = moment

    def pass_by(self):
        """Note a moment, which may be the last."""
        self.left -= 1
        if not self.left:
            raise Death


class MortalStack:
    """A stack of which a worker may die just before or after a call."""

    def __init__(self, stack, fate):
        self._stack = stack
        self._fate = fate

    def call(self, context, op):
        self._fate.pass_by()
        result = self._stack.call(context, op)
        self._fate.pass_by()
        return result


class MortalControl:
    """The control of such a worker."""

    def __init__(self, control, fate):
        self._control = control
        self._fate = fate

    def check(self):
        self._control.check()

    def report_progress(self, message):
        self._control.report_progress(message)

    def checkpoint(self, values, message=""):
        self._fate.pass_by()
        self._control.checkpoint(values, message)
        self._fate.pass_by()


class Mortal(JobType):
    """Does the work of a task as long as fate allows."""

    kind = "import"

    def __init__(self, task_type, fate):
        self._task_type = task_type
        self._fate = fate

    def run(self, job, control):
        return self._task_type.run(job, MortalControl(control, self._fate))

    def give_up(self, job, reason):
        self._task_type.give_up(job, reason)


class TestDeaths(TaskCase):
    def die(self, moment):
        """Let a worker die at a moment of its job; returns the task, and whether it lived so long."""
        task_id, fate = self.ask(MEMBER), Fate(moment)
        mortal = Mortal(self.task_type(MortalStack(self.stack, fate)), fate)
        try:
            self.worker(**{"import": mortal}).run_one()
        except Death:
            return task_id, True
        return task_id, False

    def test_a_task_whose_worker_dies_at_any_moment_makes_one_image(self):
        for moment in range(1, 100):
            task_id, died = self.die(moment)
            if not died:
                break
            self.run_to_the_end()
            self.call_delete(self.assert_done(task_id).id)
        # Before the image is looked for; and before and after its id is noted, it is made, its import is begun, loaded,
        # recorded and ended.
        self.assertEqual(14, moment)

    def test_a_failed_task_whose_worker_dies_at_any_moment_leaves_no_image(self):
        for moment in range(1, 100):
            self.server.answers = (response(status="404 Not Found"),)
            task_id, died = self.die(moment)
            self.run_to_the_end()
            self.assert_failed(task_id)
            if not died:
                break
        self.assertGreater(moment, 14)
