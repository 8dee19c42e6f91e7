"""``/healthcheck`` of the real service: plain for everybody, with details for callers with credentials."""

import requests
import testtools

from tests.functional.faults import start_service
from tests.http_server.running import eventually


class HealthTest(testtools.TestCase):
    def test_details_need_a_token_and_name_every_part(self):
        service = start_service(self, {"DEFAULT": {"transport_url": "rabbit://guest:broker-secret@127.0.0.1:9/"}})
        url = f"{service.lines[-1]}/healthcheck"
        plain = [requests.get(url + query, timeout=10) for query in ("", "?detail")]
        self.assertEqual([(200, "OK")] * 2, [(answer.status_code, answer.text) for answer in plain])
        wrong = requests.get(f"{url}?detail", headers={"X-Auth-Token": "wrong"}, timeout=10)
        self.assertEqual(401, wrong.status_code)
        eventually(lambda: service.request("GET", "/healthcheck?detail").json()["checked_at"], "it was checked")
        answer = service.request("GET", "/healthcheck?detail")
        parts = answer.json()["parts"]
        self.assertEqual(
            {"database": "ok", "workers": "ok", "store images": "ok", "staging": "ok", "database disk": "ok"}
            | {"broker": "failing"},
            {name: part["status"] for name, part in parts.items()},
        )
        self.assertEqual((503, "failing"), (answer.status_code, answer.json()["status"]))
        self.assertGreater(parts["store images"]["free_bytes"], 0)
        self.assertEqual({"status": "ok", "running": 0, "waiting": 0, "waiting_seconds": 0}, parts["workers"])
        self.assertNotIn("secret", answer.text)
        metrics = requests.get(f"{service.lines[-1]}/metrics", timeout=10).text
        self.assertIn('glance_mini_store_available{store="images"} 1.0', metrics)
