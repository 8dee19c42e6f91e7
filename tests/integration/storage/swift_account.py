"""A driver on a real Swift, and another client of that Swift which sees and removes what the driver leaves."""

import uuid

import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3
from oslo_config import cfg

from glance_mini_store.drivers.swift import SwiftDriver
from glance_mini_store.settings import resolve

SECONDS = 30


def make_driver(**values):
    """Return the driver with the options ``values``."""
    conf = cfg.ConfigOpts()
    conf([])
    settings = resolve(conf, "images", SwiftDriver.options)
    for name, value in values.items():
        assert hasattr(settings, name), name
        setattr(settings, name, value)
    return SwiftDriver.from_config(settings, "images")


def new_container():
    """Return the name of a container that nobody else has."""
    return f"test{uuid.uuid4().hex[:12]}"


class Account:
    """An account of Swift as its owner sees it: requests with a token."""

    def __init__(self, url, token):
        self.url = url
        self.token = token

    def request(self, method, path="", **options):
        """Return the response to a request for a path in the account."""
        headers = {"X-Auth-Token": self.token, **options.pop("headers", {})}
        return requests.request(method, f"{self.url}/{path}", headers=headers, timeout=SECONDS, **options)

    def names(self, container):
        """Return the names of all objects in a container, sorted."""
        response = self.request("GET", f"{container}?format=json")
        return sorted(entry["name"] for entry in response.json()) if response.status_code == 200 else []

    def containers(self, prefix):
        """Return the names of the containers that begin so."""
        return [entry["name"] for entry in self.request("GET", f"?format=json&prefix={prefix}").json() or []]

    def everything(self, prefix):
        """Return the containers that begin so, and what they hold, as paths."""
        found = self.containers(prefix)
        return sorted(found + [f"{container}/{name}" for container in found for name in self.names(container)])

    def remove(self, prefix):
        """Remove the containers that begin so, with all they hold."""
        for container in self.containers(prefix):
            for name in self.names(container):
                self.request("DELETE", f"{container}/{name}")
            self.request("DELETE", container)


def tempauth_account(service):
    """Return the account of the user of TempAuth."""
    headers = {"X-Auth-User": service["TEST_SWIFT_USER"], "X-Auth-Key": service["TEST_SWIFT_KEY"]}
    response = requests.get(service["TEST_SWIFT_AUTH"], headers=headers, timeout=SECONDS)
    response.raise_for_status()
    return Account(response.headers["X-Storage-Url"], response.headers["X-Auth-Token"])


def keystone_access(service, user, project):
    """Return session and access of a user of Keystone, whose token is new."""
    plugin = v3.Password(
        service["TEST_KEYSTONE_URL"],
        username=user,
        password=service["TEST_KEYSTONE_PASSWORD"],
        user_domain_id="default",
        project_name=project,
        project_domain_id="default",
    )
    keystone = session.Session(timeout=SECONDS)
    return keystone, plugin.get_access(keystone)


def keystone_account(service, user, project):
    """Return the account of the project, with a token of the user."""
    _, access = keystone_access(service, user, project)
    return Account(f"{service['TEST_SWIFT_URL']}/v1/AUTH_{access.project_id}", access.auth_token)
