"""The contract for tokens that the service issues."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from glance_mini.domain import errors
from glance_mini.domain.identity import IssuedToken
from glance_mini.operations.identity import FindToken, IssueToken, PurgeTokens, RevokeToken
from glance_mini.testing.data_access.samples import NOW, ContractBase

LIFETIME = timedelta(hours=8)
END = NOW + LIFETIME
A_MOMENT = timedelta(microseconds=1)


class IssuedTokenContract(ContractBase):
    def test_token_is_found_by_its_hash_with_all_that_is_known_of_it(self) -> None:
        token = self.new_token("ü", project="lab", domain="default", methods=("token", "password"))
        issued = self.issue(token)
        self.assertEqual(replace(token, issued_at=NOW, expires_at=END), issued)
        self.assertEqual(issued, self.data.run(FindToken(digest(token)), NOW))

    def test_token_that_was_never_issued_is_not_found(self) -> None:
        self.issue(self.new_token())
        self.assertRaises(errors.TokenNotFound, self.data.run, FindToken("e" * 64), NOW)

    def test_token_ends_at_its_time(self) -> None:
        token = self.new_token()
        issued = self.issue(token)
        self.assertEqual(issued, self.data.run(FindToken(digest(token)), END - A_MOMENT))
        self.assertRaises(errors.TokenNotFound, self.data.run, FindToken(digest(token)), END)

    def test_token_ends_earlier_but_never_later_than_its_lifetime_says(self) -> None:
        for not_after, expected in ((END - A_MOMENT, END - A_MOMENT), (END + A_MOMENT, END)):
            token = self.new_token()
            self.assertEqual(expected, self.issue(token, not_after=not_after).expires_at)
            self.assertEqual(expected, self.data.run(FindToken(digest(token)), NOW).expires_at)

    def test_revoked_token_is_not_found_and_others_are(self) -> None:
        token, other = self.new_token(), self.new_token()
        self.issue(token)
        self.issue(other)
        for _ in range(2):
            self.data.run(RevokeToken(digest(token)), NOW)
        self.assertEqual([False, True], [self.is_found(each) for each in (token, other)])

    def test_oldest_token_of_the_user_makes_room_for_one_beyond_the_limit(self) -> None:
        tokens = [self.new_token() for _ in range(5)]
        others = self.new_token("bob")
        self.issue(others)
        for number, token in enumerate(tokens):
            self.issue(token, limit=3, at=NOW + number * A_MOMENT)
        self.assertEqual([False, False, True, True, True], [self.is_found(token) for token in tokens])
        self.assertTrue(self.is_found(others))

    def test_lower_limit_ends_all_tokens_beyond_it(self) -> None:
        tokens = [self.new_token() for _ in range(4)]
        for number, token in enumerate(tokens):
            self.issue(token, at=NOW + number * A_MOMENT)
        last = self.new_token()
        self.issue(last, limit=1, at=NOW + A_MOMENT * 4)
        self.assertEqual([False] * 4 + [True], [self.is_found(token) for token in (*tokens, last)])

    def test_tokens_issued_at_once_are_all_found(self) -> None:
        tokens = [self.new_token() for _ in range(8)]
        results = self.at_once(self.issue, tokens)
        self.assertEqual(8, sum(isinstance(each, IssuedToken) for each in results))
        self.assertTrue(all(self.is_found(token) for token in tokens))

    def test_tokens_that_have_expired_are_removed_in_batches(self) -> None:
        for _ in range(3):
            self.issue(self.new_token())
        last = self.new_token()
        self.issue(last, at=NOW + A_MOMENT)
        self.assertEqual(0, self.data.run(PurgeTokens(2), NOW))
        self.assertEqual([2, 1, 0], [self.data.run(PurgeTokens(2), END) for _ in range(3)])
        self.assertTrue(self.is_found(last, END))

    def new_token(
        self,
        user: str = "ann",
        project: str | None = None,
        domain: str | None = None,
        methods: tuple[str, ...] = ("password",),
    ) -> IssuedToken:
        """Return a token that was not issued yet."""
        return IssuedToken(str(uuid4()), user, "c" * 64, methods, project, domain)

    def issue(
        self, token: IssuedToken, limit: int = 100, at: datetime = NOW, not_after: datetime | None = None
    ) -> IssuedToken:
        """Issue a token at a time and return it."""
        return self.data.run(IssueToken(token, digest(token), LIFETIME, limit, not_after), at)

    def is_found(self, token: IssuedToken, at: datetime = NOW) -> bool:
        """Return whether a token is valid at a time."""
        try:
            self.data.run(FindToken(digest(token)), at)
        except errors.TokenNotFound:
            return False
        return True


def digest(token: IssuedToken) -> str:
    """Return a hash that no other token of the tests has."""
    return token.id.replace("-", "").ljust(64, "0")
