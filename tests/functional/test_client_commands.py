"""Every command of the installed clients against a service with tokens of its own, and the table of the results."""

import requests
import testtools

from glance_mini.standalone.clouds import CLOUD, write_cloud
from tests.functional.client_commands import (
    STORES_AND_CACHE,
    Clients,
    Conversation,
    documented,
    installed_commands,
)
from tests.integration.served import Served
from tests.ports import free_port
from tests.unit.store.web import Page, WebServer


class ClientCommandsTest(testtools.TestCase):
    def test_every_command_is_in_the_table(self):
        self.assertEqual(installed_commands(), set(documented()))

    def test_every_command_does_by_token_what_the_table_says(self):
        web = self.useFixture(WebServer())
        web.pages["/disk.raw"] = Page(b"z" * 1000)
        port = free_port()
        root = "$state_directory"
        more = STORES_AND_CACHE.format(root=root, url=f"http://127.0.0.1:{port}", web_port=web.port)
        users = {"admin": ("admin", "admin")}
        service = self.useFixture(Served(more + "[paste_deploy]\nflavor = token\n", port=port, users=users))
        service.manage("db", "load_metadefs")
        token = service.tokens["admin"].strip()
        clouds = service.root / "clouds.yaml"
        write_cloud(clouds, service.url, token, None)
        access = {
            "openstack": ["--os-cloud", CLOUD],
            "glance": ["--os-auth-token", token, "--os-image-url", service.url],
        }

        def request(method, path, **arguments):
            headers = {"X-Auth-Token": token, **arguments.pop("headers", {})}
            return requests.request(method, service.url + path, headers=headers, timeout=60, **arguments)

        clients = self.useFixture(Clients(access, clouds))
        conversation = Conversation(clients, request, service.root, "other", web.url("/disk.raw"))
        conversation.try_all()
        self.assertEqual({name: token for name, (token, _) in documented().items()}, conversation.results)
