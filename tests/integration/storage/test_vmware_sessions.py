"""Sessions of the VMware driver: wrong passwords, and sessions that end."""

import threading

from glance_mini_store import errors
from glance_mini_store.drivers.vmware.session import Login
from glance_mini_store.testing.content import pattern
from tests.integration.storage.vcenter import PASSWORD, FaultCase

MIB = 1024 * 1024


class TestSessions(FaultCase):
    def test_wrong_password_stops_the_start_and_is_not_shown(self):
        driver = self.unchecked(vmware_server_password=PASSWORD)
        error = self.assertRaises(errors.BadStoreConfiguration, driver.check)
        self.assertIn("InvalidLogin", str(error))
        self.no_credential_in(error, repr(error))

    def test_session_that_ended_on_the_server_is_renewed(self):
        driver = self.new_driver()
        location = driver.write("name", [b"data"]).location
        self.end_session(driver)
        driver.delete(location)
        self.end_session(driver)
        self.assertGreater(driver.probe(), 0)
        self.no_credential_in()

    def test_session_that_ends_under_many_threads_is_renewed_once(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location
        self.end_session(driver)
        gate.ended = {gate.seen[-1]}
        gate.seen.clear()
        found = []
        threads = [threading.Thread(target=lambda: found.append(driver.size(location))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([4] * 8, found)
        self.assertEqual(1, len(set(gate.seen) - gate.ended))

    def test_session_that_ends_in_the_middle_of_an_upload_does_not_end_it(self):
        driver = self.new_driver()

        def source():
            yield pattern(MIB)
            self.end_session(driver)
            yield b"end"

        written = driver.write("name", source())
        self.assertEqual(pattern(MIB) + b"end", b"".join(driver.read(written.location)))
        self.assertEqual(["name"], self.stored())

    def test_password_that_changes_in_the_middle_of_an_upload_fails_it(self):
        driver = self.new_driver()
        login = driver._session._login

        def source():
            yield pattern(MIB)
            self.end_session(driver)
            driver._session._login = Login(login.username, PASSWORD)
            yield b"end"

        error = self.assertRaises(errors.RemoteServiceUnavailable, driver.write, "name", source())
        self.assertIn("InvalidLogin", str(error))
        self.no_credential_in(error)
        driver._session._login = login
        driver.discard("name")
        self.assertEqual([], self.stored())

    def test_folder_request_with_an_ended_session_is_made_with_a_new_one(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location
        gate.ended = {gate.seen[-1]}
        self.assertEqual(b"data", b"".join(driver.read(location)))
        self.assertEqual(2, len(set(gate.seen)))

    def test_server_that_refuses_every_session_is_forbidden(self):
        gate = self.gate()
        driver = self.behind(gate)
        location = driver.write("name", [b"data"]).location

        class Everything:
            def __contains__(self, _):
                return True

        gate.ended = Everything()
        self.assertRaises(errors.Forbidden, driver.size, location)

    def end_session(self, driver):
        """Let the server end the session of ``driver``, as an administrator would."""
        content = driver._session._open().content
        key = content.sessionManager.currentSession.key
        other = self.unchecked()
        other._session.call(lambda open_: open_.content.sessionManager.TerminateSession([key]))
