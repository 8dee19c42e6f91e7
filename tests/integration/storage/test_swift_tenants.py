"""A multi-tenant ``swift`` store on a real Swift and a real Keystone: tokens, trusts, access lists, other tenants."""

from urllib.parse import urlsplit

import requests

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.swift.segments import MIB
from glance_mini_store.testing.content import in_killed_process, new_name, pattern, pieces
from tests.integration.storage.own_servers import swift_proxy
from tests.integration.storage.relay import Relay
from tests.integration.storage.swift_account import SECONDS, Account, keystone_access, keystone_account, make_driver
from tests.integration.storage.swift_case import SwiftTestCase

SMALL = {"swift_store_large_object_size": 1, "swift_store_large_object_chunk_size": 1}
DATA = pattern(3 * MIB + 17)


class KeystoneCase(SwiftTestCase):
    """Has the accounts of alice (project demo), bob (other) and the store (service)."""

    def setUp(self):
        super().setUp()
        self.alice = keystone_account(self.swift, "alice", "demo")
        self.bob = keystone_account(self.swift, "bob", "other")
        self.own = keystone_account(self.swift, "glance", "service")
        for account in (self.alice, self.bob, self.own):
            self.addCleanup(account.remove, self.container)

    def keystone(self, method, path, token, **options):
        headers = {"X-Auth-Token": token, **options.pop("headers", {})}
        url = f"{self.swift['TEST_KEYSTONE_URL']}{path}"
        return requests.request(method, url, headers=headers, timeout=SECONDS, **options)

    def behind_a_relay(self):
        """Return the option by which a store uses ``self.relay``, which knows tokens that have expired."""
        self.relay = self.useFixture(Relay(urlsplit(self.swift["TEST_SWIFT_URL"]).port))
        return {"swift_store_endpoint": f"http://127.0.0.1:{self.relay.port}/v1/AUTH_$(project_id)s"}

    def expiring(self, token):
        """Yield DATA; the token has expired after a part of it.

        That is between two segments: the body of a request that is refused cannot be sent again.
        """
        yield DATA[:MIB]
        self.relay.expired.add(token())
        yield DATA[MIB:]

    def left(self):
        return [path for account in (self.alice, self.bob, self.own) for path in account.everything(self.container)]


class TestTokens(KeystoneCase):
    def test_the_token_of_the_store_is_renewed_in_the_middle(self):
        driver = make_driver(
            swift_store_config_file=self.references(ref1=self.keystone_reference()),
            swift_store_container=self.container,
            swift_store_create_container_on_put=True,
            **self.behind_a_relay(),
            **SMALL,
        )
        token = driver._tenancy.probed().token
        for size in (None, len(DATA)):
            location = driver.write(new_name(), self.expiring(token), size).location
            self.assertEqual(DATA, b"".join(driver.read(location)))

    def test_the_store_logs_in_again_when_its_token_was_revoked_in_the_middle(self):
        # A proxy that asks Keystone about each token in each request.
        port = urlsplit(self.swift["TEST_SWIFT_URL"]).port
        proxy = self.useFixture(swift_proxy("keystone-proxy", port_before=port, authtoken="token_cache_time = -1"))
        driver = make_driver(
            swift_store_config_file=self.references(ref1=self.keystone_reference()),
            swift_store_container=self.container,
            swift_store_create_container_on_put=True,
            swift_store_endpoint=f"http://127.0.0.1:{proxy.port}/v1/AUTH_$(project_id)s",
            swift_store_retry_get_count=1,
            **SMALL,
        )
        account = driver._tenancy.probed()
        revoked = []

        def chunks():
            # Between two segments, as in ``expiring``.
            yield DATA[:MIB]
            revoked.append(account.token())
            headers = {"X-Subject-Token": revoked[0]}
            self.keystone("DELETE", "/auth/tokens", revoked[0], headers=headers).raise_for_status()
            yield DATA[MIB:]

        location = driver.write(new_name(), chunks(), None).location
        self.assertEqual(DATA, b"".join(driver.read(location)))
        self.assertNotIn(account.token(), revoked)

    def test_a_token_that_expires_soon_is_renewed_before_it_is_used(self):
        driver = make_driver(
            swift_store_config_file=self.references(ref1=self.keystone_reference()),
            swift_store_expire_soon_interval=10**6,
        )
        account = driver._tenancy.probed()
        self.assertNotEqual(account.token(), account.token())

    def test_an_application_credential_is_enough(self):
        _, access = keystone_access(self.swift, "glance", "service")
        name = new_name()
        path = f"/users/{access.user_id}/application_credentials"
        made = self.keystone("POST", path, access.auth_token, json={"application_credential": {"name": name}}).json()
        credential = made["application_credential"]
        self.addCleanup(self.keystone, "DELETE", f"{path}/{credential['id']}", access.auth_token)
        reference = {
            "auth_address": self.swift["TEST_KEYSTONE_URL"],
            "application_credential_id": credential["id"],
            "application_credential_secret": credential["secret"],
        }
        driver = make_driver(
            swift_store_config_file=self.references(ref1=reference),
            swift_store_container=self.container,
            swift_store_create_container_on_put=True,
        )
        driver.check()
        location = driver.write(new_name(), [b"data"], 4).location
        self.assertEqual(b"data", b"".join(driver.read(location)))
        driver.delete(location)


class TestTrusts(KeystoneCase):
    def trusts(self):
        """Return the ids of the trusts of bob; no other test has long uploads of his."""
        _, access = keystone_access(self.swift, "bob", "other")
        path = f"/OS-TRUST/trusts?trustor_user_id={access.user_id}"
        return {trust["id"] for trust in self.keystone("GET", path, access.auth_token).json()["trusts"]}

    def test_an_upload_outlives_the_token_of_its_user(self):
        caller, before = self.caller("bob", "other"), self.trusts()
        driver = self.multi_tenant(**self.behind_a_relay(), **SMALL).for_caller(caller)
        written = driver.write(new_name(), self.expiring(lambda: caller.token), None)
        self.assertEqual(before, self.trusts())
        self.assertIn(caller.token, self.relay.expired)
        (container,) = self.bob.containers(self.container)
        self.assertEqual(DATA, self.bob.request("GET", f"{container}/{written.location.rpartition('/')[2]}").content)

    def test_without_trusts_it_ends_with_the_token_and_can_be_discarded(self):
        caller, name = self.caller("bob", "other"), new_name()
        store = self.multi_tenant(swift_store_use_trusts=False, **self.behind_a_relay(), **SMALL)
        chunks = self.expiring(lambda: caller.token)
        self.assertRaises(errors.StoreError, store.for_caller(caller).write, name, chunks, None)
        self.assertNotIn(f"{self.container}_{name}/{name}", self.left())
        store.for_caller(Caller(caller.project_id)).discard(name)
        self.assertEqual([], self.left())

    def test_a_failed_upload_removes_its_trust_and_its_container(self):
        caller, before = self.caller("bob", "other"), self.trusts()

        def chunks():
            yield DATA
            raise ValueError

        driver = self.multi_tenant(**SMALL).for_caller(caller)
        self.assertRaises(ValueError, driver.write, new_name(), chunks(), None)
        self.assertEqual((before, []), (self.trusts(), self.left()))


class TestAccessLists(KeystoneCase):
    def setUp(self):
        super().setUp()
        self.store = self.multi_tenant(**SMALL)
        self.mine = self.store.for_caller(self.caller())
        self.name = new_name()
        self.location = self.mine.write(self.name, pieces(DATA), len(DATA)).location
        self.path = f"{self.container}_{self.name}/{self.name}"

    def status(self, token):
        response = Account(self.alice.url, token).request("GET", self.path)
        if response.status_code == 200:
            self.assertEqual(DATA, response.content)
        return response.status_code

    def test_the_location_names_the_account_of_the_project(self):
        scheme, _, rest = self.alice.url.partition("://")
        self.assertEqual(f"swift+{scheme}://{rest}/{self.path}", self.location)

    def test_a_member_reads_the_object_itself_until_it_is_no_member(self):
        bob = self.caller("bob", "other")
        self.assertEqual(403, self.status(bob.token))
        self.mine.set_acl(self.location, False, [bob.project_id])
        self.assertEqual(200, self.status(bob.token))
        self.assertEqual(DATA, b"".join(self.store.for_caller(bob).read(self.location)))
        self.assertEqual(
            403,
            requests.delete(
                f"{self.alice.url}/{self.path}", headers={"X-Auth-Token": bob.token}, timeout=SECONDS
            ).status_code,
        )
        self.mine.set_acl(self.location, False, [])
        self.assertEqual(403, self.status(bob.token))
        self.assertRaises(errors.Forbidden, self.store.for_caller(bob).size, self.location)

    def test_everybody_reads_a_public_object(self):
        self.mine.set_acl(self.location, True, [])
        self.assertEqual(200, self.status(self.bob.token))
        self.assertEqual(200, self.status(""))
        self.assertEqual(
            401, requests.get(f"{self.alice.url}/{self.path.partition('/')[0]}", timeout=SECONDS).status_code
        )

    def test_a_reader_of_the_owning_project_reads_the_object(self):
        self.assertEqual(200, self.status(self.caller("reader", "demo").token))

    def test_projects_of_administrators_read_and_write_every_container(self):
        bob = self.caller("bob", "other")
        store = self.multi_tenant(swift_store_admin_tenants=[bob.project_id])
        location = store.for_caller(self.caller()).write(name := new_name(), [b"data"], 4).location
        self.assertEqual(b"data", b"".join(store.for_caller(bob).read(location)))
        put = Account(self.alice.url, bob.token).request("PUT", f"{self.container}_{name}/more", data=b"x")
        self.assertEqual(201, put.status_code)

    def test_the_store_sets_lists_for_the_owner_where_it_has_no_token(self):
        bob = self.caller("bob", "other")
        self.store.for_caller(Caller(self.caller().project_id)).set_acl(self.location, False, [bob.project_id])
        self.assertEqual(200, self.status(bob.token))


class TestOtherTenants(KeystoneCase):
    def setUp(self):
        super().setUp()
        self.store = self.multi_tenant()
        self.project = self.caller().project_id
        self.theirs = self.store.for_caller(self.caller("bob", "other")).write(new_name(), [b"theirs"], 6).location

    def refuse(self, driver, location):
        """Check that the driver changes nothing at a location of bob."""
        self.assertRaises(errors.Forbidden, driver.delete, location)
        self.assertRaises(errors.Forbidden, driver.set_acl, location, True, [])

    def test_data_of_another_project_is_out_of_reach_with_the_token_of_a_user(self):
        driver = self.store.for_caller(self.caller())
        self.refuse(driver, self.theirs)
        self.assertRaises(errors.Forbidden, driver.size, self.theirs)
        self.assertRaises(errors.Forbidden, driver.read, self.theirs)
        self.assertEqual(1, len(self.bob.containers(self.container)))

    def test_acting_for_a_project_the_store_changes_nothing_of_another(self):
        self.refuse(self.store.for_caller(Caller(self.project)), self.theirs)

    def test_the_store_itself_changes_only_what_bears_its_name(self):
        self.bob.request("PUT", f"{self.container}x").raise_for_status()
        self.bob.request("PUT", f"{self.container}x/thing", data=b"thing").raise_for_status()
        other = self.theirs.partition(self.container)[0] + f"{self.container}x/thing"
        self.refuse(self.store, other)
        self.assertEqual(["thing"], self.bob.names(f"{self.container}x"))
        self.store.delete(self.theirs)

    def test_no_token_is_sent_to_another_host(self):
        driver = self.store.for_caller(self.caller())
        for location in (
            f"swift+http://127.0.0.1:9/v1/AUTH_{self.project}/c/o",
            self.theirs.replace("swift+http:", "swift+https:"),
            self.theirs.replace("/AUTH_", "/more/AUTH_"),
            f"swift+http://user:key@127.0.0.1:9/v1/AUTH_{self.project}/c/o",
            "swift+config://ref1/c/o",
        ):
            for call in (driver.size, driver.read, driver.delete):
                self.assertRaises(errors.BadStoreUri, call, location)

    def test_without_a_caller_the_store_uses_its_own_account(self):
        location = self.store.write(name := new_name(), [b"data"], 4).location
        self.assertEqual([name], self.own.names(f"{self.container}_{name}"))
        mine = self.store.for_caller(self.caller())
        self.assertEqual(b"data", b"".join(mine.read(location)))
        mine.set_acl(location, True, [])
        mine.delete(location)
        self.assertEqual([], self.own.containers(self.container))

    def test_acting_for_a_project_the_store_writes_reads_and_removes_in_its_account(self):
        driver, name = self.store.for_caller(Caller(self.project)), new_name()
        location = driver.write(name, pieces(DATA), None).location
        self.assertEqual([f"{self.container}_{name}"], self.alice.containers(self.container))
        self.assertEqual(DATA[5:9], b"".join(driver.read(location, 5, 4)))
        self.assertRaises(errors.Duplicate, driver.write, name, [b"x"], 1)
        driver.delete(location)
        self.assertRaises(errors.NotFound, driver.size, location)
        in_killed_process(lambda source: driver.write(name, source, None))
        self.assertEqual([f"{self.container}_{name}"], self.alice.containers(self.container))
        driver.discard(name)
        self.assertEqual([], self.alice.containers(self.container))

    def test_without_credentials_a_store_works_with_tokens_alone(self):
        endpoint = f"{self.swift['TEST_SWIFT_URL']}/v1/AUTH_$(project_id)s"
        store = make_driver(
            swift_store_multi_tenant=True, swift_store_endpoint=endpoint, swift_store_container=self.container
        )
        store.check()
        mine = store.for_caller(self.caller())
        location = mine.write(new_name(), [b"data"], None).location
        self.assertEqual(b"data", b"".join(mine.read(location)))
        self.assertRaises(errors.StorageWriteDenied, store.delete, location)
        mine.delete(location)

    def test_both_tenancies_at_once_are_refused(self):
        path = self.references(ref1=self.keystone_reference())
        error = self.assertRaises(errors.BadStoreConfiguration, self.multi_tenant, swift_store_config_file=path)
        self.assertIn("swift_store_config_file", str(error))
