"""``glance-mini-status upgrade check`` on a state directory: each check finds what it looks for."""

import json
import subprocess

import fixtures
from sqlalchemy import create_engine, insert, text

from glance_mini.cmd import manage, status
from glance_mini.cmd.status import CHECKS
from glance_mini.cmd.upgrade_checks import file_system_of
from glance_mini.db.sqlalchemy.models import image_locations, images
from glance_mini.domain.clock import utcnow
from glance_mini.policies import list_rules
from tests.unit.cmd.test_commands import CommandTestCase

SUCCESS, WARNING, FAILURE = range(3)


class UpgradeCheckTest(CommandTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable("OS_GLANCE_CONFIG_DIR", str(self.state.path)))
        self.call(manage, "db", "sync")

    def check(self, *words):
        """Return exit code and output of the program."""
        code, out, _ = self.call(status, "upgrade", "check", *words)
        return code, out

    def results(self):
        """Return result and details of each check, after the exit code was found to be the worst of them."""
        code, out = self.check("--json")
        found = {each["check"]: (each["result"], each["details"] or "") for each in json.loads(out)["checks"]}
        self.assertEqual(max(result for result, _ in found.values()), code)
        return found

    def assert_result(self, check, result, *texts):
        found = self.results()[check]
        self.assertEqual(result, found[0], found)
        for each in texts:
            self.assertIn(each, found[1])

    def configure(self, more):
        """Append to the configuration."""
        with open(self.state.config_file, "a", encoding="utf-8") as file:
            file.write(f"\n{more}\n")

    def set_default(self, line):
        """Add a line to the section DEFAULT."""
        config = self.state.config_file
        config.write_text(config.read_text().replace("[DEFAULT]\n", f"[DEFAULT]\n{line}\n"))

    def engine(self):
        engine = create_engine(f"sqlite:///{self.state.path}/glance-mini.db")
        self.addCleanup(engine.dispose)
        return engine

    def add_location(self, metadata):
        """Store the row of an image with one location that has these metadata."""
        with self.engine().begin() as connection:
            now = utcnow()
            fields = {"status": "active", "visibility": "shared", "created_at": now, "updated_at": now}
            image = connection.execute(text("SELECT count(*) FROM images")).scalar_one()
            connection.execute(insert(images).values(id=f"image-{image}", **fields))
            location = {"position": 0, "value": "file:///x", "meta_data": json.dumps(metadata), "status": "active"}
            connection.execute(insert(image_locations).values(image_id=f"image-{image}", **location))

    def policy(self, content):
        """Let the service read this policy file."""
        (self.state.path / "policy.yaml").write_text(content)
        self.configure(f"[oslo_policy]\npolicy_file = {self.state.path}/policy.yaml")


class OutcomeTest(UpgradeCheckTest):
    def test_everything_in_order_is_success(self):
        self.assertEqual({name: (SUCCESS, "") for name, _ in CHECKS}, self.results())
        self.assertEqual(SUCCESS, self.check()[0])

    def test_the_worst_result_is_the_exit_code(self):
        self.policy("get_images: role:reader and project_id:%(project_id)s\nstranger: role:admin\n")
        self.assertEqual(WARNING, self.check()[0])
        self.configure("[server]\nbind = nowhere")
        self.assertEqual(FAILURE, self.check()[0])

    def test_a_file_that_cannot_be_read_is_an_error(self):
        self.state.config_file.write_text("nonsense")
        self.assertEqual(255, self.check()[0])


class ConfigurationTest(UpgradeCheckTest):
    def test_configuration_that_cannot_be_used_is_a_failure(self):
        self.configure("[server]\nbind = nowhere")
        self.assert_result("Configuration", FAILURE, "nowhere")

    def test_options_without_effect_are_a_warning(self):
        self.set_default("bind_port = 9292")
        self.assert_result("Configuration", WARNING, "bind_port")

    def test_deprecated_options_are_a_warning(self):
        self.set_default("show_multiple_locations = true")
        self.assert_result("Deprecated options", WARNING, "glance-mini.conf:", "show_multiple_locations", "2.17")

    def test_former_names_of_options_are_a_warning(self):
        self.set_default("logfile = /var/log/glance.log")
        self.assert_result("Deprecated options", WARNING, "logfile is called [DEFAULT] log_file now")

    def test_current_options_are_no_warning(self):
        self.configure("[server]\nworkers = 3")
        self.assert_result("Deprecated options", SUCCESS)


class PolicyTest(UpgradeCheckTest):
    def test_policy_file_that_cannot_be_used_is_a_failure(self):
        self.policy("[")
        self.assert_result("Policy files", FAILURE, "policy.yaml")

    def test_rule_that_repeats_the_default_is_a_warning(self):
        default = next(rule for rule in list_rules() if rule.name == "delete_image")
        self.policy(f'delete_image: "{default.check_str}"\n')
        self.assert_result("Policy files", WARNING, "delete_image", "repeats")

    def test_rule_that_nothing_asks_for_is_a_warning(self):
        self.policy("get_image_that_was: role:admin\n")
        self.assert_result("Policy files", WARNING, "get_image_that_was", "nothing asks")

    def test_rule_that_another_rule_refers_to_is_none(self):
        self.policy("of_the_lab: role:lab\ndelete_image: (rule:of_the_lab) or rule:context_is_admin\n")
        self.assert_result("Policy files", SUCCESS)


class TablesTest(UpgradeCheckTest):
    def revision(self, number):
        with self.engine().begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})

    def test_tables_that_must_be_migrated_are_a_warning(self):
        self.revision("0001")
        self.assert_result("Database tables", WARNING, "0001", "db sync")

    def test_no_tables_are_a_warning(self):
        (self.state.path / "glance-mini.db").unlink()
        self.assert_result("Database tables", WARNING, "no tables")

    def test_tables_of_a_newer_release_are_a_failure(self):
        self.revision("9999")
        self.assert_result("Database tables", FAILURE, "9999")

    def test_database_that_does_not_answer_is_a_failure(self):
        config = self.state.config_file
        config.write_text(config.read_text().replace("$state_directory/glance-mini.db", "/nowhere/at/all.db"))
        self.assert_result("Database tables", FAILURE)


class LocationsTest(UpgradeCheckTest):
    def test_locations_of_enabled_stores_are_in_order(self):
        self.add_location({"store": "images"})
        self.assert_result("Stores of locations", SUCCESS)

    def test_locations_without_a_store_are_counted(self):
        self.add_location({"store": "images"})
        self.add_location({})
        self.add_location({"note": "mine"})
        self.assert_result("Stores of locations", WARNING, "no store: 2")

    def test_locations_of_stores_that_are_not_enabled_are_counted(self):
        self.add_location({"store": "old"})
        self.assert_result("Stores of locations", WARNING, "store old", "not enabled: 1")

    def test_a_single_store_needs_no_names(self):
        config = self.state.config_file
        written = config.read_text().replace("enabled_backends = images:file\n", "")
        written = written.replace("default_backend = images", "filesystem_store_datadir = $state_directory/images")
        config.write_text(written)
        self.add_location({})
        self.assert_result("Stores of locations", SUCCESS)

    def test_nothing_is_counted_in_tables_of_another_release(self):
        self.add_location({})
        with self.engine().begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        self.assert_result("Stores of locations", SUCCESS)


class StagingTest(UpgradeCheckTest):
    def use_server(self):
        """Name a database that other nodes can use too; nothing listens there."""
        config = self.state.config_file
        server = "postgresql+psycopg://nobody@127.0.0.1:1/images"
        config.write_text(config.read_text().replace("sqlite:///$state_directory/glance-mini.db", server))

    def test_area_of_one_node_that_others_cannot_reach_is_a_warning(self):
        self.use_server()
        self.assert_result("Staging area", WARNING, "worker_self_reference_url", "staging_is_shared")

    def test_node_with_an_address_is_in_order(self):
        self.use_server()
        self.set_default("worker_self_reference_url = http://node1:9292")
        self.assert_result("Staging area", SUCCESS)

    def test_shared_area_on_a_local_file_system_is_a_warning(self):
        self.use_server()
        self.set_default("staging_is_shared = true")
        self.assert_result("Staging area", WARNING, f"{self.state.path}/staging", str(file_system_of(self.state.path)))

    def test_file_systems_are_found_by_the_longest_mount_point(self):
        self.assertEqual("proc", file_system_of("/proc/self/no/such/file"))


class DiskSpaceTest(UpgradeCheckTest):
    def test_a_small_disk_is_a_warning(self):
        directory = self.state.path / "images"
        directory.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            self.skipTest(f"no file system can be mounted here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(directory)], check=True)
        self.assert_result("Disk space", WARNING, "the store images: 8 MiB")

    def test_a_store_that_cannot_be_used_is_a_failure(self):
        (self.state.path / "images").write_text("a file")
        self.assert_result("Disk space", FAILURE, "images")
