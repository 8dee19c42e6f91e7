"""The id of a request in its answer (api-conventions-headers)."""

from tests.http.client import ApplicationTest

HEADER = "x-openstack-request-id"


class TestRequestIds(ApplicationTest):
    def test_every_answer_to_a_known_caller_has_an_id_of_its_own(self) -> None:
        answers = [
            self.send("GET", "/v2/images"),
            self.send("GET", "/v2/images"),
            self.send("GET", "/v2/images/none"),
            self.send("POST", "/v2/images", {}),
            self.send("DELETE", "/v2/nothing"),
        ]
        ids = {answer.headers[HEADER] for answer in answers}
        self.assertEqual(len(answers), len(ids))
        for request_id in ids:
            self.assertRegex(request_id, r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

    def test_what_a_client_sends_is_not_repeated_in_the_answer(self) -> None:
        answer = self.send("GET", "/v2/images", X_Openstack_Request_ID="req-of-the-client")
        self.assertNotIn("client", answer.headers[HEADER])
