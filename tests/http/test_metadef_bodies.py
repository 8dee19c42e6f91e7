"""Any body of a call that writes metadata definitions is taken whole or refused with a 4xx that leaves nothing."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.test_metadefs import ACME, BUS, NAMESPACES, WHOLE, MetadefTest

BOUNDED = settings(deadline=None, database=None, derandomize=True, max_examples=60)

REFUSED = (400, 403, 404, 409, 413)

_TEXTS = st.text(max_size=90) | st.sampled_from(
    ["string", "integer", "array", "object", "OS::Glance::Image", "(", "é/%2F"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_KEYS = (
    st.sampled_from([*WHOLE, *BUS, "name", "items", "default", "minimum", "pattern", "required", "owner", "self"])
    | _TEXTS
)


def places(body: Any) -> list[tuple[Any, Any]]:
    """Return each container inside ``body`` with each of its keys or positions."""
    keys = list(body) if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    return [(body, key) for key in keys] + [place for key in keys for place in places(body[key])]


@st.composite
def bodies(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """Return ``valid`` after a few changes: values replaced, removed or added anywhere."""
    body = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(body) or [(body, "name")]))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                container.pop(key, None) if isinstance(container, dict) else container.pop(key)
            case "add" if isinstance(container, dict):
                container[draw(_KEYS)] = draw(_VALUES)
            case _:
                container[key] = draw(_VALUES)
    return body


class BodiesTest(MetadefTest):
    @BOUNDED
    @given(bodies(WHOLE))
    def test_namespaces(self, body: dict[str, Any]) -> None:
        before = self.names()
        answer = self.send("POST", NAMESPACES, body, "admin")
        self.assertIn(answer.status_int, (201, *REFUSED), answer.text)
        if answer.status_int != 201:
            self.assertEqual(before, self.names())
            return
        shown = self.send("GET", answer.headers["Location"], caller="admin")
        self.assertEqual((200, answer.json), (shown.status_int, shown.json))
        self.assertEqual(204, self.send("DELETE", answer.headers["Location"], caller="admin").status_int)

    @BOUNDED
    @given(bodies({"name": "new", **BUS}) | bodies({"name": "new", "required": ["a"], "properties": {"a": BUS}}))
    def test_parts(self, body: dict[str, Any]) -> None:
        self.send("POST", NAMESPACES, {"namespace": "Acme"}, "admin")
        for kind in ("properties", "objects", "tags", "resource_types"):
            answer = self.send("POST", f"{ACME}/{kind}", body, "admin")
            self.assertIn(answer.status_int, (200, 201, *REFUSED), answer.text)
            if answer.status_int >= 400 and kind != "resource_types":
                listed = self.send("GET", f"{ACME}/{kind}", caller="admin").json[kind]
                self.assertFalse(listed, (kind, body))
        self.assertEqual(204, self.send("DELETE", ACME, caller="admin").status_int)

    @BOUNDED
    @given(st.binary(max_size=40) | _VALUES.map(lambda value: json.dumps(value).encode()))
    def test_what_is_no_object(self, body: bytes) -> None:
        answer = self.send("POST", NAMESPACES, body, "admin")
        self.assertEqual(400, answer.status_int, answer.text)

    def names(self) -> list[str]:
        """Return the names of all namespaces."""
        return [each["namespace"] for each in self.send("GET", NAMESPACES, caller="admin").json["namespaces"]]
