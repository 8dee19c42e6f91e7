"""A walk through many images by ``next`` (api-images-paging)."""

from glance_mini.operations.images import CreateImage
from tests.http.client import ApplicationTest

COUNT = 60


class TestPaging(ApplicationTest):
    def setUp(self) -> None:
        super().setUp()
        context = self.service.context("member")
        self.ids = {
            self.service.stack.call(context, CreateImage(base={"name": f"n{number % 3}"})).id for number in range(COUNT)
        }

    def _walk(self, path: str) -> list[str]:
        found: list[str] = []
        while path:
            page = self.send("GET", path).json
            found += [image["id"] for image in page["images"]]
            path = page.get("next", "")
        return found

    def test_each_image_comes_exactly_once_whatever_the_order(self) -> None:
        for query in ("", "sort=name:asc", "sort=name:desc,size:asc", "sort_key=status&sort_dir=asc", "sort=id"):
            with self.subTest(query):
                found = self._walk(f"/v2/images?limit=7&{query}")
                self.assertEqual(COUNT, len(found))
                self.assertEqual(self.ids, set(found))

    def test_the_last_full_page_is_followed_by_an_empty_one(self) -> None:
        self.assertEqual(COUNT, len(self._walk(f"/v2/images?limit={COUNT // 3}")))

    def test_a_page_has_25_images_where_nothing_else_is_asked(self) -> None:
        self.assertEqual(25, len(self.send("GET", "/v2/images").json["images"]))

    def test_a_filter_stays_on_the_way(self) -> None:
        self.assertEqual(COUNT // 3, len(self._walk("/v2/images?limit=6&name=n1&sort=created_at:asc")))
