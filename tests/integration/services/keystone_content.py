"""Fills a bootstrapped Keystone with what the tests use; run by the script ``keystone``, may be repeated.

Arguments: address of Keystone, password of every user, address of the image service.
"""

import sys

import openstack

DOMAIN = "default"
USERS = (("alice", "demo", "member"), ("bob", "other", "member"), ("reader", "demo", "reader"))
SERVICE_USER = ("glance", "service", "service")


def main(url: str, password: str, image_url: str) -> None:
    """Make users, projects, roles and the catalog entry of the image service."""
    cloud = openstack.connect(
        auth_url=url,
        username="admin",
        password=password,
        project_name="admin",
        user_domain_id=DOMAIN,
        project_domain_id=DOMAIN,
        region_name="RegionOne",
    )
    for user, project, role in (*USERS, SERVICE_USER):
        grant(cloud.identity, user, password, project, role)
    publish(cloud.identity, image_url)


def grant(identity, user, password, project, role):
    """Give the user the role in the project; makes user, project and role where they are missing."""
    where = {"domain_id": DOMAIN}
    held = identity.find_project(project, **where) or identity.create_project(name=project, **where)
    holder = identity.find_user(user, **where) or identity.create_user(name=user, password=password, **where)
    granted = identity.find_role(role) or identity.create_role(name=role)
    identity.assign_project_role_to_user(held, holder, granted)


def publish(identity, image_url):
    """Put the image service into the catalog at ``image_url``."""
    service = identity.find_service("glance") or identity.create_service(name="glance", type="image")
    endpoints = {endpoint.interface: endpoint for endpoint in identity.endpoints(service_id=service.id)}
    for interface in ("public", "internal", "admin"):
        if interface in endpoints:
            identity.update_endpoint(endpoints[interface], url=image_url)
        else:
            place = {"service_id": service.id, "region_id": "RegionOne"}
            identity.create_endpoint(interface=interface, url=image_url, **place)


if __name__ == "__main__":
    main(*sys.argv[1:])
