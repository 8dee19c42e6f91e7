"""Downloads that are sent to the store (api-data-redirect)."""

from tests.http.client import DATA_TYPE, ApplicationTest
from tests.unit.layers.location.test_direct import SigningDriver


class RedirectCase(ApplicationTest):
    def setUp(self):
        super().setUp()
        self.store = SigningDriver("fast")
        self.service.services.stores.get("fast").driver = self.store
        self.image = self.upload()

    def upload(self, **values):
        image = self.create(**values)
        answer = self.send("PUT", f"/v2/images/{image}/file", b"0123456789", Content_Type=DATA_TYPE)
        self.assertEqual(204, answer.status_int, answer.text)
        return image

    def download(self, query="", status=307, caller="member", **headers):
        answer = self.send("GET", f"/v2/images/{self.image}/file{query}", caller=caller, **headers)
        self.assertEqual(status, answer.status_int, answer.headers)
        return answer


class TestRedirects(RedirectCase):
    options = {"direct_access": {"downloads": True, "download_seconds": 77}, "server": {"max_transfers": 1}}

    def test_client_that_asks_is_sent_to_the_store(self):
        for answer in (
            self.download("?redirect=true"),
            self.download(Prefer="redirect"),
            self.download(Prefer="wait=10, Redirect; x=y", Range="bytes=2-"),
            self.download("?redirect=true&prefer=fast"),
        ):
            self.assertRegex(answer.headers["Location"], r"^https://store\.example\.com/.*sig=1$")
            self.assertEqual("no-store", answer.headers["Cache-Control"])
            self.assertEqual("no-referrer", answer.headers["Referrer-Policy"])
            self.assertEqual("redirect", answer.headers["Preference-Applied"])
            self.assertEqual((b"", 0), (answer.body, answer.content_length))
        self.assertEqual({77}, set(self.store.asked))

    def test_others_get_the_data(self):
        for arguments in ({}, {"query": "?redirect=false"}, {"query": "?redirect=false", "Prefer": "redirect"}):
            self.assertEqual(b"0123456789", self.download(status=200, **arguments).body)
        self.assertEqual([], self.store.asked)

    def test_data_without_an_address_comes_from_the_service(self):
        self.image = self.create()
        headers = {"Content_Type": DATA_TYPE, "X_Image_Meta_Store": "cheap"}
        self.send("PUT", f"/v2/images/{self.image}/file", b"abc", **headers)
        self.assertEqual(b"abc", self.download("?redirect=true", status=200).body)

    def test_data_that_is_gone_is_no_address(self):
        for location in self.store.locations():
            self.store.delete(location)
        self.download("?redirect=true", status=204)

    def test_every_layer_is_asked_first(self):
        self.download("?redirect=true", status=404, caller="other")
        self.download("?redirect=true", status=403, caller="reader")
        self.send("POST", f"/v2/images/{self.image}/actions/deactivate")
        self.download("?redirect=true", status=403)
        self.assertEqual([], self.store.asked)
        self.download("?redirect=true", caller="admin")

    def test_conditions_are_answered_here(self):
        self.download("?redirect=true", status=304, If_None_Match="*")
        self.download("?redirect=true", status=412, If_Match='"other"')

    def test_other_values_are_refused(self):
        for value in ("", "1", "True", "yes"):
            self.download(f"?redirect={value}", status=400)

    def test_head_is_not_redirected(self):
        answer = self.send("HEAD", f"/v2/images/{self.image}/file?redirect=true")
        self.assertEqual((200, 10), (answer.status_int, answer.content_length))

    def test_link_is_redirected_too(self):
        link = self.send("POST", f"/v2/images/{self.image}/links").json["url"]
        answer = self.send("GET", f"{link}?redirect=true", caller="nobody")
        self.assertEqual(307, answer.status_int)

    def test_redirection_takes_no_transfer_and_its_event_says_so(self):
        running = self.download(status=200)
        tag = self.download("?redirect=true").headers.get("ETag") or running.headers["ETag"]
        self.download("?redirect=true", 304, If_None_Match=tag)
        running.app_iter.close()
        sent = [event.payload for event in self.service.events() if event.type == "image.send"]
        self.assertEqual([(True, 0), (None, 0)], [(each.get("redirected"), each["bytes_sent"]) for each in sent])
        self.assertEqual({self.image}, {each["image_id"] for each in sent})


class TestWithoutRedirects(RedirectCase):
    def test_by_default_the_data_comes_from_the_service(self):
        self.assertEqual(b"0123456789", self.download("?redirect=true", status=200, Prefer="redirect").body)
        self.assertEqual([], self.store.asked)
