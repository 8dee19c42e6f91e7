"""The walk from one node to ten, as the manual prints it, on PostgreSQL and RabbitMQ behind HAProxy."""

from tests.integration.packages.base import PackagingCase
from tests.manual.pages import MANUAL, read_page
from tests.manual.shell import Shell
from tests.manual.test_commands import run_page


class TestScaling(PackagingCase):
    def test_ten_nodes_serve_as_one_and_survive_the_death_of_one(self):
        database = self.fresh_database("postgresql")
        broker = self.service("rabbitmq")["TEST_RABBITMQ_URL"]
        shell = self.useFixture(Shell(DATABASE=database, BROKER=broker))
        run_page(self, shell, read_page(MANUAL / "operator/scaling.rst"))
