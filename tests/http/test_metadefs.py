"""Each of the 28 calls on metadata definitions: success, no such namespace, twice, not allowed, protected."""

from typing import Any, NamedTuple
from urllib.parse import quote

from webob import Request

from glance_mini.api.routes import ROUTES
from glance_mini.testing.data_access.metadef_samples import ODD_NAMES
from tests.http.client import ApplicationTest

ROOT = "/v2/metadefs"
NAMESPACES = f"{ROOT}/namespaces"
ACME = f"{NAMESPACES}/Acme"
IMAGE, FLAVOR = "OS::Glance::Image", "OS::Nova::Flavor"

BUS = {"title": "Bus", "type": "string", "enum": ["scsi", "virtio"]}
WHOLE = {
    "namespace": "Acme",
    "display_name": "Disks",
    "description": "Disks of Acme",
    "visibility": "public",
    "resource_type_associations": [{"name": IMAGE, "prefix": "acme_"}],
    "properties": {"bus": BUS},
    "objects": [{"name": "Tuning", "required": ["depth"], "properties": {"depth": {"title": "D", "type": "integer"}}}],
    "tags": [{"name": "fast"}],
}


class Call(NamedTuple):
    """A call that succeeds on ``WHOLE``, and what it says to whom else."""

    method: str
    path: str
    body: Any = None
    status: int = 200
    taken: bool = False
    """Whether it is refused with 409 because what it would make exists, after it has succeeded once."""
    deletes: bool = False


CALLS = (
    Call("GET", NAMESPACES),
    Call("POST", NAMESPACES, {"namespace": "New"}, 201, taken=True),
    Call("GET", ACME),
    Call("PUT", ACME, {"namespace": "Acme", "visibility": "public"}),
    Call("DELETE", ACME, status=204, deletes=True),
    Call("GET", f"{ROOT}/resource_types"),
    Call("GET", f"{ACME}/resource_types"),
    Call("POST", f"{ACME}/resource_types", {"name": FLAVOR}, 201, taken=True),
    Call("DELETE", f"{ACME}/resource_types/{IMAGE}", status=204, deletes=True),
    Call("GET", f"{ACME}/properties"),
    Call("POST", f"{ACME}/properties", {"name": "new", **BUS}, 201, taken=True),
    Call("DELETE", f"{ACME}/properties", status=204, deletes=True),
    Call("GET", f"{ACME}/properties/bus"),
    Call("PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS}),
    Call("DELETE", f"{ACME}/properties/bus", status=204, deletes=True),
    Call("GET", f"{ACME}/objects"),
    Call("POST", f"{ACME}/objects", {"name": "New"}, 201, taken=True),
    Call("DELETE", f"{ACME}/objects", status=204, deletes=True),
    Call("GET", f"{ACME}/objects/Tuning"),
    Call("PUT", f"{ACME}/objects/Tuning", {"name": "Tuning"}),
    Call("DELETE", f"{ACME}/objects/Tuning", status=204, deletes=True),
    Call("GET", f"{ACME}/tags"),
    Call("POST", f"{ACME}/tags", {"tags": [{"name": "a"}, {"name": "b"}]}, 201),
    Call("DELETE", f"{ACME}/tags", status=204, deletes=True),
    Call("POST", f"{ACME}/tags/new", status=201, taken=True),
    Call("GET", f"{ACME}/tags/fast"),
    Call("PUT", f"{ACME}/tags/fast", {"name": "faster"}),
    Call("DELETE", f"{ACME}/tags/fast", status=204, deletes=True),
)

CHANGES = [call for call in CALLS if call.method != "GET"]
IN_NAMESPACE = [call for call in CALLS if call.path.startswith(ACME)]


class MetadefTest(ApplicationTest):
    def call(
        self, status: int, method: str, path: str, body: Any = None, caller: str = "admin", **headers: object
    ) -> Any:
        """Return the answer as JSON, None for one without a body, after a look at its status."""
        answer = self.send(method, path, body, caller, **headers)
        self.assertEqual(status, answer.status_int, (method, path, answer.text if answer.body else ""))
        is_json = answer.content_type == "application/json"
        return answer.json if answer.body and is_json else None

    def make(self, **values: Any) -> Any:
        """Create the namespace ``WHOLE`` and return its view."""
        return self.call(201, "POST", NAMESPACES, {**WHOLE, **values})

    def again(self, **values: Any) -> None:
        """Create the namespace anew."""
        for name in ("Acme", "New"):
            path = f"{NAMESPACES}/{name}"
            if self.send("GET", path, caller="admin").status_int == 200:
                self.call(200, "PUT", path, {"namespace": name})
                self.call(204, "DELETE", path)
        self.make(**values)


class EachCallTest(MetadefTest):
    def test_the_table_has_every_route(self) -> None:
        routes = {(method, name) for route in ROUTES if ROOT in route.path for method, name in route.actions.items()}
        self.assertEqual((28, 28), (len(CALLS), len(routes)))

    def test_each_call_succeeds_for_an_administrator(self) -> None:
        for call in CALLS:
            self.again()
            self.call(call.status, call.method, call.path, call.body)

    def test_each_read_succeeds_for_a_reader_of_another_project(self) -> None:
        self.make()
        for call in CALLS:
            if call.method == "GET":
                self.call(200, call.method, call.path, caller="other")

    def test_what_exists_is_not_made_twice(self) -> None:
        for call in CALLS:
            if call.taken:
                self.again()
                self.call(201, call.method, call.path, call.body)
                self.call(409, call.method, call.path, call.body)
        self.again()
        twice = {"tags": [{"name": "a"}, {"name": "a"}]}
        self.call(409, "POST", f"{ACME}/tags", twice)
        self.call(409, "POST", f"{ACME}/tags", {"tags": [{"name": "fast"}]}, X_Openstack_Append="True")
        self.assertEqual(["fast"], [tag["name"] for tag in self.call(200, "GET", f"{ACME}/tags")["tags"]])

    def test_only_administrators_change_anything(self) -> None:
        self.make()
        before = self.call(200, "GET", ACME)
        for call in CHANGES:
            for caller in ("reader", "member", "other"):
                self.call(403, call.method, call.path, call.body, caller)
        self.assertEqual(before, self.call(200, "GET", ACME))
        self.assertEqual(1, len(self.call(200, "GET", NAMESPACES)["namespaces"]))

    def test_a_namespace_of_others_does_not_exist(self) -> None:
        self.make(visibility="private")
        for call in IN_NAMESPACE:
            self.call(404, call.method, call.path, call.body, "member")
            self.call(404, call.method, call.path.replace("Acme", "None"), call.body)
        self.assertEqual([], self.call(200, "GET", NAMESPACES, caller="member")["namespaces"])

    def test_nothing_in_a_protected_namespace_is_deleted(self) -> None:
        self.make(protected=True)
        before = self.call(200, "GET", ACME)
        for call in CALLS:
            if call.deletes:
                self.call(403, call.method, call.path)
        self.call(403, "POST", f"{ACME}/tags", {"tags": []})
        self.assertEqual(before, self.call(200, "GET", ACME))

    def test_parts_that_do_not_exist(self) -> None:
        self.make()
        for kind, methods, body in (
            ("properties", ("GET", "PUT", "DELETE"), {"name": "x", **BUS}),
            ("objects", ("GET", "PUT", "DELETE"), {"name": "x"}),
            ("tags", ("GET", "PUT", "DELETE"), {"name": "x"}),
            ("resource_types", ("DELETE",), None),
        ):
            for method in methods:
                self.call(404, method, f"{ACME}/{kind}/none", body if method == "PUT" else None)

    def test_a_rename_takes_no_name_of_another(self) -> None:
        self.make()
        self.call(201, "POST", NAMESPACES, {"namespace": "Other"})
        self.call(409, "PUT", ACME, {"namespace": "Other"})
        for kind, name, body in (
            ("properties", "bus", {"name": "other", **BUS}),
            ("objects", "Tuning", {"name": "other"}),
            ("tags", "fast", {"name": "other"}),
        ):
            self.call(200, "PUT", f"{ACME}/{kind}/{name}", body)
            again = {**body, "name": name}
            make = f"{ACME}/tags/{name}" if kind == "tags" else f"{ACME}/{kind}"
            self.call(201, "POST", make, None if kind == "tags" else again)
            self.call(409, "PUT", f"{ACME}/{kind}/{name}", body)

    def test_fields_of_the_service_are_refused(self) -> None:
        self.make()
        for method, path, body in (
            ("POST", NAMESPACES, {"namespace": "New"}),
            ("PUT", ACME, {"namespace": "Acme"}),
            ("POST", f"{ACME}/properties", {"name": "new", **BUS}),
            ("PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS}),
            ("POST", f"{ACME}/objects", {"name": "New"}),
            ("POST", f"{ACME}/resource_types", {"name": FLAVOR}),
            ("PUT", f"{ACME}/tags/fast", {"name": "new"}),
        ):
            for field in ("created_at", "updated_at"):
                self.call(403, method, path, {**body, field: "2026-01-01T00:00:00Z"})

    def test_what_does_not_fit_the_schema_is_refused_and_leaves_nothing(self) -> None:
        self.make()
        before = self.call(200, "GET", ACME)
        bad: list[tuple[str, str, Any]] = [
            *(("POST", NAMESPACES, {"namespace": "New", **more}) for more in BAD_NAMESPACES),
            *(("PUT", ACME, {"namespace": "Acme", **more}) for more in BAD_NAMESPACES[:4]),
            *(("POST", f"{ACME}/properties", {"name": "new", **BUS, **more}) for more in BAD_PROPERTIES),
            *(("PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS, **more}) for more in BAD_PROPERTIES),
            *(("POST", f"{ACME}/objects", body) for body in ({}, {"name": ""}, {"name": "x", "more": 1})),
            *(
                ("POST", f"{ACME}/resource_types", body)
                for body in ({}, {"name": "x" * 81}, {"name": "x", "prefix": 1})
            ),
            *(("POST", f"{ACME}/tags", body) for body in ({}, {"tags": {}}, {"tags": ["a"]}, {"tags": [{"name": ""}]})),
            ("PUT", f"{ACME}/tags/fast", {}),
            ("POST", f"{ACME}/tags/{'x' * 81}", None),
        ]
        for method, path, body in bad:
            self.call(400, method, path, body)
        self.assertEqual(before, self.call(200, "GET", ACME))
        self.assertEqual(1, len(self.call(200, "GET", NAMESPACES)["namespaces"]))


BAD_NAMESPACES: list[dict[str, Any]] = [
    {"visibility": "shared"},
    {"protected": "yes"},
    {"namespace": "x" * 81},
    {"more": 1},
    {"description": "x" * 501},
    {"owner": "x" * 256},
    {"properties": {"p": {"title": "no type"}}},
    {"properties": {"x" * 81: BUS}},
    {"properties": {"p": {**BUS, "pattern": 1}}},
    {"objects": [{"name": "o", "properties": {"p": {**BUS, "pattern": "x" * 1001}}}]},
    {"objects": [{}]},
    {"tags": ["fast"]},
    {"resource_type_associations": [{"prefix": "x"}]},
]
BAD_PROPERTIES: list[dict[str, Any]] = [
    {"type": "text"},
    {"more": 1},
    {"name": "x" * 81},
    {"name": ""},
    {"minLength": -1},
    {"minimum": "1"},
    {"pattern": 1},
    {"pattern": "x" * 1001},
    {"enum": "a"},
    {"required": "a"},
]


class ViewTest(MetadefTest):
    def test_a_namespace_is_made_in_one_call_and_shown_with_a_prefix(self) -> None:
        made = self.make()
        self.assertEqual(made, self.call(200, "GET", ACME))
        self.assertEqual(("p0", "public", False), (made["owner"], made["visibility"], made["protected"]))
        shown = self.call(200, "GET", f"{ACME}?resource_type={IMAGE}")
        self.assertEqual({"acme_bus": BUS}, shown["properties"])
        (group,) = shown["objects"]
        self.assertEqual((["acme_depth"], ["acme_depth"]), (group["required"], list(group["properties"])))
        path = f"{ACME}/properties/acme_bus?resource_type={IMAGE}"
        self.assertEqual({"name": "bus", **BUS}, self.call(200, "GET", path))
        self.call(404, "GET", f"{ACME}/properties/bus?resource_type={IMAGE}")

    def test_objects_in_a_namespace_look_like_objects_alone_and_can_be_sent_back(self) -> None:
        (within,) = self.make()["objects"]
        alone = self.call(200, "GET", f"{ACME}/objects/Tuning")
        self.assertEqual(alone, within)
        self.assertEqual((f"{ACME}/objects/Tuning", "/v2/schemas/metadefs/object"), (within["self"], within["schema"]))
        self.assertEqual({"created_at", "updated_at"}, {*within} & {"created_at", "updated_at"})
        self.call(201, "POST", NAMESPACES, {"namespace": "Copy", "objects": [within]})

    def test_a_namespace_that_fails_half_way_leaves_nothing(self) -> None:
        self.call(409, "POST", NAMESPACES, {**WHOLE, "tags": [{"name": "a"}, {"name": "a"}]})
        self.call(404, "GET", ACME)
        self.assertEqual([], self.call(200, "GET", f"{ROOT}/resource_types")["resource_types"])

    def test_put_replaces_plain_fields_and_keeps_parts(self) -> None:
        self.make()
        changed = self.call(200, "PUT", ACME, {"namespace": "Moved", "tags": [{"name": "ignored"}]})
        self.assertEqual(("private", False, "p0"), (changed["visibility"], changed["protected"], changed["owner"]))
        self.assertNotIn("description", changed)
        shown = self.call(200, "GET", f"{NAMESPACES}/Moved")
        self.assertEqual(({"bus": BUS}, [{"name": "fast"}]), (shown["properties"], shown["tags"]))
        self.call(404, "GET", ACME)

    def test_lists_of_parts_come_in_pages(self) -> None:
        parts = [f"n{number}" for number in range(5)]
        self.make(
            properties=dict.fromkeys(parts, BUS),
            objects=[{"name": name} for name in parts],
            tags=[{"name": name} for name in parts],
        )
        for kind in ("properties", "objects", "tags"):
            found: list[str] = []
            path = f"{ACME}/{kind}?limit=2" + ("&sort_key=name&sort_dir=asc" if kind == "tags" else "")
            while path:
                page = self.call(200, "GET", path)
                each = page[kind]
                found += list(each) if isinstance(each, dict) else [one["name"] for one in each]
                path = page.get("next", "")
            self.assertEqual(parts, found)
            self.assertEqual(5, len(self.call(200, "GET", f"{ACME}/{kind}")[kind]))
            self.call(404, "GET", f"{ACME}/{kind}?marker=none")
            self.call(400, "GET", f"{ACME}/{kind}?limit=-1")
        self.call(400, "GET", f"{ACME}/objects?limit=0")
        self.call(400, "GET", f"{ACME}/tags?sort_key=id")

    def test_namespaces_are_filtered_and_paged(self) -> None:
        self.make()
        for number in range(3):
            body = {"namespace": f"n{number}", "resource_type_associations": [{"name": FLAVOR}]}
            self.call(201, "POST", NAMESPACES, body)

        def names(query: str, caller: str = "admin") -> list[str]:
            return [
                each["namespace"]
                for each in self.call(200, "GET", f"{NAMESPACES}?{query}", caller=caller)["namespaces"]
            ]

        self.assertEqual(["n2", "n1", "n0", "Acme"], names(""))
        self.assertEqual(["Acme"], names("", "other"))
        self.assertEqual(["Acme"], names("visibility=public"))
        self.assertEqual(["n0", "n1", "n2"], names(f"resource_types={FLAVOR}&sort_dir=asc"))
        self.assertEqual(4, len(names(f"resource_types={FLAVOR},{IMAGE}")))
        self.assertEqual(["n0", "n1"], names("sort_key=namespace&sort_dir=asc&marker=Acme&limit=2"))
        page = self.call(200, "GET", f"{NAMESPACES}?limit=3&visibility=private")
        self.assertEqual(f"{NAMESPACES}?limit=3&visibility=private&marker=n0", page["next"])
        self.call(404, "GET", f"{NAMESPACES}?marker=n0", caller="other")
        for query in ("sort_key=id", "sort_dir=up", "visibility=shared", "limit=x"):
            self.call(400, "GET", f"{NAMESPACES}?{query}")
        types = ",".join(map(str, range(33)))
        self.call(400, "GET", f"{NAMESPACES}?resource_types={types}")

    def test_odd_names_in_paths(self) -> None:
        for name in ODD_NAMES:
            namespace = {**WHOLE, "namespace": name, "properties": {name: BUS}, "objects": [{"name": name}]}
            answer = self.send("POST", NAMESPACES, {**namespace, "tags": [{"name": name}]}, "admin")
            self.assertEqual(201, answer.status_int, answer.text)
            path = answer.headers["Location"]
            self.assertEqual(f"{NAMESPACES}/{quote(name, safe=':')}", path)
            self.assertEqual(name, self.get(path)["namespace"])
            for kind in ("properties", "objects", "tags"):
                part = f"{path}/{kind}/{quote(name, safe='')}"
                self.assertEqual(name, self.get(part)["name"])
        shown = {each["namespace"] for each in self.call(200, "GET", NAMESPACES)["namespaces"]}
        self.assertEqual(set(ODD_NAMES), shown)

    def test_slashes_are_parts_of_names_only_where_the_server_tells_how_the_path_was_sent(self) -> None:
        self.make(tags=[{"name": "a/b"}, {"name": "a%2Fb"}])
        sent = f"{ACME}/tags/a%2Fb"
        self.call(404, "GET", sent)
        self.assertEqual("a/b", self.get(sent)["name"])
        self.assertEqual("a%2Fb", self.get(f"{ACME}/tags/a%252Fb")["name"])
        for raw in (f"/elsewhere{sent}?x=%2F", f"http://host{sent}"):
            self.assertEqual("a/b", self.get(sent, raw)["name"])
        image = self.create()
        request = Request.blank(f"/v2/images/{image}/tags/a%2Fb", method="PUT", headers={"X-Auth-Token": "member"})
        request.environ["RAW_URI"] = f"/v2/images/{image}/tags/a%2Fb"
        self.assertEqual(404, request.get_response(self.service.app).status_int)

    def get(self, path: str, raw: str | None = None) -> Any:
        """Return what is at ``path``, which the server hands on as it was sent, too."""
        request = Request.blank(path, headers={"X-Auth-Token": "admin"}, environ={"RAW_URI": raw or path})
        answer = request.get_response(self.service.app)
        self.assertEqual(200, answer.status_int, (path, answer.text))
        return answer.json


class LongBodyTest(MetadefTest):
    """Bodies that are dear to check: whoever may not send one is told so before."""

    options = {"metadefs": {"max_body_bytes": 100_000}}

    def long(self, length: int = 50_000) -> dict[str, Any]:
        """Return a body that fits no schema."""
        return {"unknown": "x" * length}

    def test_who_may_not_change_anything_is_refused_before_the_body_is_checked(self) -> None:
        self.make()
        table = [call for call in CHANGES if call.body is not None]
        for call in table:
            for caller in ("reader", "member", "other"):
                self.call(403, call.method, call.path, self.long(), caller)
            self.call(400, call.method, call.path, self.long())
        self.assertEqual(9, len(table))

    def test_parts_of_a_namespace_that_is_hidden_are_not_found(self) -> None:
        self.make(visibility="private")
        self.call(404, "POST", f"{ACME}/objects", self.long(), "other")
        self.call(404, "POST", f"{NAMESPACES}/none/objects", self.long())

    def test_the_rule_sees_owner_and_visibility_that_the_body_names(self) -> None:
        for owner in ("p0", 7, None):
            self.call(400, "POST", NAMESPACES, {**self.long(), "owner": owner, "visibility": owner})

    def test_a_long_body_that_fits_is_taken(self) -> None:
        wide = {f"p{number}": BUS for number in range(1000)}
        self.make(properties=wide)
        self.assertEqual(wide, self.call(200, "GET", ACME)["properties"])

    def test_a_body_beyond_the_limit_is_refused(self) -> None:
        for caller in ("member", "admin"):
            self.call(413, "POST", NAMESPACES, self.long(100_000), caller)


class BoundsTest(MetadefTest):
    options = {
        "metadefs": {
            "max_namespaces": 2,
            "max_resource_types": 2,
            "max_associations": 1,
            "max_properties": 1,
            "max_objects": 1,
            "max_tags": 1,
            "max_definition_bytes": 200,
            "max_total_bytes": 300,
        }
    }

    def test_each_limit_refuses_what_is_more(self) -> None:
        self.make()
        self.call(413, "POST", f"{ACME}/properties", {"name": "new", **BUS})
        self.call(413, "POST", f"{ACME}/objects", {"name": "new"})
        self.call(413, "POST", f"{ACME}/tags/new")
        self.call(413, "POST", f"{ACME}/tags", {"tags": [{"name": "a"}, {"name": "b"}]})
        self.call(413, "POST", f"{ACME}/resource_types", {"name": FLAVOR})
        self.call(413, "PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS, "description": "x" * 200})
        wide = {"name": "Tuning", "properties": {"a": {**BUS, "description": "x" * 100}}}
        self.call(200, "PUT", f"{ACME}/objects/Tuning", wide)
        self.call(413, "PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS, "description": "x" * 100})
        self.call(201, "POST", NAMESPACES, {"namespace": "b", "resource_type_associations": [{"name": FLAVOR}]})
        self.call(413, "POST", NAMESPACES, {"namespace": "c"})
        self.call(204, "DELETE", f"{NAMESPACES}/b")
        self.call(413, "POST", NAMESPACES, {"namespace": "c", "resource_type_associations": [{"name": "third"}]})
        self.call(404, "GET", f"{NAMESPACES}/c")

    def test_nesting_is_limited(self) -> None:
        self.make()
        deep: Any = 1
        for _ in range(70):
            deep = [deep]
        self.call(400, "PUT", f"{ACME}/properties/bus", {"name": "bus", **BUS, "default": deep})
