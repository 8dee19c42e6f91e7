"""Import methods of other packages, as clients of the API meet them."""

import json
from contextlib import ExitStack
from typing import Any

from glance_mini.imports.methods import NAMESPACE, ImportMethod, Pause, Source
from glance_mini.operations.records import GetStaged
from tests.http.client import DATA_TYPE
from tests.http.working import BODY, WorkingTest
from tests.unit.entry_points import installed


class ByPost(ImportMethod):
    """Gives what is in the letter."""

    name = "by-post"
    fields = ("letter",)

    @classmethod
    def from_config(cls, conf: Any, services: Any) -> "ByPost":
        return cls()

    def open(self, job: Any, request: Any, image: Any, pause: Pause) -> Source:
        data = request.method["letter"].encode()
        return Source(iter([data]), len(data))


class Upper(ByPost):
    """Gives staged data in upper case."""

    name = "upper"
    image_status = "uploading"
    fields = ()

    def __init__(self, stores: Any = None, jobs: Any = None) -> None:
        self._stores, self._jobs = stores, jobs

    @classmethod
    def from_config(cls, conf: Any, services: Any) -> "Upper":
        return cls(services.stores, services.data)

    def open(self, job: Any, request: Any, image: Any, pause: Pause) -> Source:
        staged = self._jobs.run(GetStaged(image.id))
        return Source((block.upper() for block in self._stores.get(staged.store).read(staged.url)), staged.size)


class TestFurtherMethods(WorkingTest):
    options = {"DEFAULT": {"enabled_import_methods": "web-download,by-post,upper"}}

    def setUp(self) -> None:
        with ExitStack() as while_starting:
            offers = [(method.name, f"{__name__}:{method.__name__}") for method in (ByPost, Upper)]
            shipped = [("web-download", "glance_mini.imports.methods:WebDownload")]
            while_starting.enter_context(installed(NAMESPACE, *offers, *shipped))
            super().setUp()

    def test_clients_can_see_it(self) -> None:
        told = self.send("GET", "/v2/info/import").json["import-methods"]["value"]
        self.assertEqual(["web-download", "by-post", "upper"], told)

    def test_its_data_becomes_an_image(self) -> None:
        image = self.run_import(self.create(), {"name": "by-post", "letter": "Dear image"}, stores=["fast", "cheap"])
        self.assertEqual(("active", "cheap,fast"), (image["status"], image["stores"]))
        self.assertEqual(b"Dear image", self.data(image["id"]))

    def test_data_can_be_staged_for_it(self) -> None:
        image_id = self.create()
        self.stage(image_id)
        image = self.run_import(image_id, "upper")
        self.assertEqual(("active", BODY.upper()), (image["status"], self.data(image_id)))

    def test_what_it_asks_for_is_asked_of_clients(self) -> None:
        image_id = self.create()
        for method, status, text in (
            ({"name": "by-post"}, 400, "letter"),
            ({"name": "by-post", "letter": ""}, 400, "letter"),
            ({"name": "upper"}, 409, "queued"),
            ({"name": "copy-image"}, 400, "not one of"),
        ):
            answer = self.import_image(image_id, method)
            self.assertEqual(status, answer.status_int, json.dumps(method))
            self.assertIn(text, answer.text)
        self.send("PUT", f"/v2/images/{image_id}/stage", b"x", Content_Type=DATA_TYPE)
        self.assertEqual(409, self.import_image(image_id, {"name": "by-post", "letter": "x"}).status_int)
        self.assertEqual([], self.tasks(image_id))

    def test_a_method_has_a_bounded_number_of_fields_of_bounded_size(self) -> None:
        image_id = self.create()
        method = {"name": "by-post", "letter": "x"}
        for fields, text in (
            ({f"f{number}": "" for number in range(31)}, "33 fields"),
            ({"f": "x" * 8193}, "8192 characters"),
            ({"f" * 8193: ""}, "8192 characters"),
        ):
            answer = self.import_image(image_id, {**method, **fields})
            self.assertEqual(400, answer.status_int)
            self.assertIn(text, answer.text)
        most = {f"f{number}": "x" * 8192 for number in range(30)}
        self.assertEqual(202, self.import_image(image_id, {**method, **most}).status_int)
        (task,) = self.tasks(image_id)
        self.assertEqual({**method, **most}, task["input"]["import_req"]["method"])
