"""Input that is too large to be written into a table: long names, deep nesting, big bodies, many parameters."""

from tests.http.client import ApplicationTest, Stream

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"


class TestLongValues(ApplicationTest):
    def test_names_of_255_characters_are_taken_and_longer_ones_refused(self) -> None:
        for name in ("name", "owner"):
            with self.subTest(name):
                self.assertEqual(201, self._create({name: "x" * 255}))
                self.assertEqual(400, self._create({name: "x" * 256}))

    def test_255_characters_may_take_four_bytes_each(self) -> None:
        self.assertEqual(201, self._create({"name": "🚀" * 255, "🚀" * 255: "x", "tags": ["🚀" * 255]}))

    def test_the_name_of_a_property_has_at_most_255_characters(self) -> None:
        self.assertEqual(201, self._create({"k" * 255: "x"}))
        self.assertEqual(400, self._create({"k" * 256: "x"}))
        image = self.create()
        self.assertEqual(200, self._patch(image, [{"op": "add", "path": "/" + "k" * 255, "value": "x"}]))
        self.assertEqual(400, self._patch(image, [{"op": "add", "path": "/" + "k" * 256, "value": "x"}]))

    def test_the_value_of_a_property_has_at_most_65535_bytes(self) -> None:
        self.assertEqual(201, self._create({"k": "x" * 65_535}))
        self.assertEqual(400, self._create({"k": "x" * 65_536}))
        self.assertEqual(400, self._create({"k": "ä" * 32_768}))
        image = self.create()
        self.assertEqual(200, self._patch(image, [{"op": "add", "path": "/k", "value": "x" * 65_535}]))
        self.assertEqual(400, self._patch(image, [{"op": "add", "path": "/k", "value": "x" * 65_536}]))

    def test_all_properties_of_an_image_have_at_most_one_mib(self) -> None:
        image = self.create()
        for number, status in [*((number, 200) for number in range(16)), (16, 413)]:
            change = {"op": "add", "path": f"/k{number:02}", "value": "x" * 65_500}
            self.assertEqual(status, self._patch(image, [change]), number)

    def test_a_list_of_large_images_comes_in_pages_of_at_most_4_mib(self) -> None:
        for _ in range(6):
            image = self.create()
            changes = [{"op": "add", "path": f"/k{number}", "value": "x" * 65_500} for number in range(15)]
            self.assertEqual(200, self._patch(image, changes))
        path, sizes = "/v2/images", []
        while path:
            page = self.send("GET", path)
            sizes.append((len(page.json["images"]), len(page.body) < 4.1 * 1024**2))
            path = page.json.get("next")
        self.assertEqual([(4, True), (2, True)], sizes)

    def test_a_tag_has_at_most_255_characters(self) -> None:
        self.assertEqual(201, self._create({"tags": ["t" * 255]}))
        self.assertEqual(400, self._create({"tags": ["t" * 256]}))
        image = self.create()
        self.assertEqual(204, self.send("PUT", f"/v2/images/{image}/tags/{'t' * 255}").status_int)
        self.assertEqual(400, self.send("PUT", f"/v2/images/{image}/tags/{'t' * 256}").status_int)
        self.assertEqual(404, self.send("DELETE", f"/v2/images/{image}/tags/{'t' * 256}").status_int)

    def test_the_id_of_a_member_has_at_most_255_characters(self) -> None:
        image = self.create()
        members = f"/v2/images/{image}/members"
        self.assertEqual(200, self.send("POST", members, {"member": "m" * 255}).status_int)
        self.assertEqual(400, self.send("POST", members, {"member": "m" * 256}).status_int)
        self.assertEqual(404, self.send("GET", f"{members}/{'m' * 2000}").status_int)

    def test_a_long_id_is_not_found(self) -> None:
        self.assertEqual(404, self.send("GET", f"/v2/images/{'a' * 4000}").status_int)

    def test_long_values_of_filters_are_looked_for(self) -> None:
        for query in (f"name={'x' * 4000}", f"tag={'x' * 4000}", f"{'k' * 2000}={'v' * 2000}", f"status={'x' * 4000}"):
            with self.subTest(query[:10]):
                self.assertEqual(200, self.send("GET", f"/v2/images?{query}").status_int)

    def test_the_quotas_of_128_hold_by_default(self) -> None:
        image = self.create()
        for number in range(128):
            self.assertEqual(204, self.send("PUT", f"/v2/images/{image}/tags/{number}").status_int)
            answer = self.send("POST", f"/v2/images/{image}/members", {"member": f"m{number}"})
            self.assertEqual(200, answer.status_int)
        self.assertEqual(413, self.send("PUT", f"/v2/images/{image}/tags/more").status_int)
        self.assertEqual(413, self.send("POST", f"/v2/images/{image}/members", {"member": "more"}).status_int)
        self.assertEqual(201, self._create({f"p{number}": "x" for number in range(128)}))
        self.assertEqual(413, self._create({f"p{number}": "x" for number in range(129)}))

    def _create(self, values: dict[str, object]) -> int:
        return self.send("POST", "/v2/images", values, caller="admin").status_int

    def _patch(self, image: str, patch: list[dict[str, str]]) -> int:
        return self.send("PATCH", f"/v2/images/{image}", patch, Content_Type=PATCH_TYPE).status_int


class TestShapeOfBodies(ApplicationTest):
    def test_deep_nesting_is_refused(self) -> None:
        for depth in (65, 1000, 1024, 100_000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                with self.subTest(depth=depth, opening=opening):
                    body = b'{"x":' + opening * depth + b"1" + closing * depth + b"}"
                    self.assertEqual(400, self.send("POST", "/v2/images", body).status_int)

    def test_a_deep_patch_is_refused(self) -> None:
        body = b'[{"op":"add","path":"/x","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"
        image = self.create()
        self.assertEqual(400, self.send("PATCH", f"/v2/images/{image}", body, Content_Type=PATCH_TYPE).status_int)

    def test_a_body_beyond_the_limit_is_refused_before_it_is_read(self) -> None:
        for path in ("/v2/images", "/v2/images/none/members"):
            stream = Stream(b"{}")
            answer = self.send_stream("POST", path, stream, length=10 * 1024**2)
            self.assertEqual(413, answer.status_int)
            self.assertEqual(0, stream.reads)

    def test_a_body_in_chunks_is_read_to_the_limit_and_no_further(self) -> None:
        stream = Stream(*[b" " * 1024**2] * 10)
        answer = self.send_stream("POST", "/v2/images", stream, length=None)
        self.assertEqual(413, answer.status_int)
        self.assertLess(stream.reads, 4)

    def test_a_body_at_the_limit_is_taken(self) -> None:
        body = b'{"note":"x"}'.ljust(1024**2)
        self.assertEqual(201, self.send("POST", "/v2/images", body).status_int)
        self.assertEqual(413, self.send("POST", "/v2/images", body + b" ").status_int)

    def test_a_body_that_stops_early_is_refused(self) -> None:
        answer = self.send_stream("POST", "/v2/images", Stream(b"{}"), length=5)
        self.assertEqual(400, answer.status_int)

    def test_a_body_that_stalls_is_a_time_out(self) -> None:
        answer = self.send_stream("POST", "/v2/images", Stream(b"{", TimeoutError()), length=5)
        self.assertEqual(408, answer.status_int)


class TestManyParameters(ApplicationTest):
    def test_queries_with_many_filters_are_answered_or_refused(self) -> None:
        for count in (30, 100, 200):
            for name in ("tag=t{}", "p{}=v", "sort_key=name&x{}=1"):
                query = "&".join(name.format(number) for number in range(count))
                with self.subTest(count=count, name=name):
                    self.assertIn(self.send("GET", f"/v2/images?{query}").status_int, (200, 400))

    def test_too_many_parameters_are_refused(self) -> None:
        query = "&".join(f"p{number}=v" for number in range(201))
        self.assertEqual(400, self.send("GET", f"/v2/images?{query}").status_int)

    def test_long_lists_of_values_are_answered(self) -> None:
        names = ",".join(f"n{number}" for number in range(1000))
        self.assertEqual(200, self.send("GET", f"/v2/images?name=in:{names}").status_int)

    def test_a_patch_of_many_operations_is_answered(self) -> None:
        image = self.create()
        patch = [{"op": "add", "path": "/color", "value": str(number)} for number in range(5000)]
        answer = self.send("PATCH", f"/v2/images/{image}", patch, Content_Type=PATCH_TYPE)
        self.assertEqual(200, answer.status_int)
        self.assertEqual("4999", answer.json["color"])
