"""Every command of the installed clients under a real Keystone, and the table of the results."""

from tests.functional.client_commands import STORES_AND_CACHE, Clients, Conversation, documented
from tests.integration.base import ServiceTestCase
from tests.integration.cloud import CloudService
from tests.unit.store.web import Page, WebServer

USER = "admin"


class ClientCommandsTest(ServiceTestCase):
    def test_every_command_does_with_keystone_what_the_table_says(self):
        web = self.useFixture(WebServer())
        web.pages["/disk.raw"] = Page(b"z" * 1000)

        def configuration(cloud):
            return STORES_AND_CACHE.format(root="$state_directory", url=cloud.image_url, web_port=web.port)

        running = self.useFixture(CloudService(self.service("keystone"), configuration))
        running.served.manage("db", "load_metadefs")
        cloud = running.cloud
        login = {**cloud.login(USER), "region_name": cloud.region}
        access = {
            "openstack": ["--os-cloud", USER],
            "glance": [word for name, value in login.items() for word in (f"--os-{name.replace('_', '-')}", value)],
        }
        clouds = cloud.write_clouds(running.served.root / "clouds.yaml")
        clients = self.useFixture(Clients(access, clouds))
        conversation = Conversation(
            clients,
            lambda method, path, **more: running.request(USER, method, path, **more),
            running.served.root,
            cloud.project_id("bob"),
            web.url("/disk.raw"),
        )
        conversation.try_all()
        self.assertEqual({name: keystone for name, (_, keystone) in documented().items()}, conversation.results)
