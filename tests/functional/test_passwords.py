"""Wrong passwords against the real service, many at once."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.functional.test_clients import ClientTestCase

AT_ONCE = 70


class PasswordsTest(ClientTestCase):
    def test_guessing_holds_up_nobody_else(self):
        service, _ = self.start_with_password()
        self.guess(service, at_most=10)

    def test_two_processes_count_together(self):
        service, _ = self.start_with_password("--workers", "2")
        # Each process may be looking at one more when the last one that counts turns out to be wrong.
        self.guess(service, at_most=11)

    def guess(self, service, at_most):
        """Guess many passwords at once: at most that many are looked at."""
        base = service.lines[-1]

        def ask(name, password):
            return requests.get(f"{base}/v2/images", auth=(name, password), timeout=30)

        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            guesses = [pool.submit(ask, "bob", f"wrong {number}") for number in range(AT_ONCE)]
            checks = [requests.get(f"{base}/healthcheck", timeout=10).status_code for _ in range(20)]
            answers = [guess.result() for guess in guesses]
        self.assertEqual([200] * 20, checks)
        refused = [answer for answer in answers if answer.status_code == 429]
        looked_at = [answer for answer in answers if answer.status_code == 401]
        self.assertEqual(AT_ONCE, len(refused) + len(looked_at))
        self.assertTrue(1 <= len(looked_at) <= at_most, len(looked_at))
        self.assertTrue(all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused))
        self.assertEqual(200, ask("ann", "correct horse").status_code)
