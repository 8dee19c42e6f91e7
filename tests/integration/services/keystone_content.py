"""Fills a bootstrapped Keystone with what the tests use; run by the script ``keystone``, may be repeated.

Arguments: address of Keystone, password of every user, addresses of the image service, of Swift and of Cinder.
"""

import sys

import openstack

DOMAIN = "default"
GRANTS = (
    # user, project, roles; swiftoperator and ResellerAdmin are those that Swift's proxy looks for.
    ("admin", "service", ("ResellerAdmin",)),
    ("alice", "demo", ("member", "swiftoperator")),
    ("bob", "other", ("member", "swiftoperator")),
    ("reader", "demo", ("reader",)),
    ("demo_admin", "demo", ("admin",)),
    ("glance", "service", ("service", "member", "ResellerAdmin")),
    ("swift", "service", ("service", "admin")),
    ("cinder", "service", ("service", "admin")),
)


def main(url: str, password: str, image_url: str, swift_url: str, cinder_url: str) -> None:
    """Make users, projects, roles and the catalog entries of the services."""
    cloud = openstack.connect(
        auth_url=url,
        username="admin",
        password=password,
        project_name="admin",
        user_domain_id=DOMAIN,
        project_domain_id=DOMAIN,
        region_name="RegionOne",
    )
    for user, project, roles in GRANTS:
        grant(cloud.identity, user, password, project, roles)
    publish(cloud.identity, "glance", "image", image_url)
    publish(cloud.identity, "swift", "object-store", f"{swift_url}/v1/AUTH_%(project_id)s")
    publish(cloud.identity, "cinderv3", "volumev3", f"{cinder_url}/v3/%(project_id)s")


def grant(identity, user, password, project, roles):
    """Give the user the roles in the project; makes user, project and roles where they are missing."""
    where = {"domain_id": DOMAIN}
    held = identity.find_project(project, **where) or identity.create_project(name=project, **where)
    holder = identity.find_user(user, **where) or identity.create_user(name=user, password=password, **where)
    for role in roles:
        granted = identity.find_role(role) or identity.create_role(name=role)
        identity.assign_project_role_to_user(held, holder, granted)


def publish(identity, name, kind, url):
    """Put the service into the catalog at ``url``, on all interfaces."""
    service = identity.find_service(name) or identity.create_service(name=name, type=kind)
    endpoints = {endpoint.interface: endpoint for endpoint in identity.endpoints(service_id=service.id)}
    for interface in ("public", "internal", "admin"):
        if interface in endpoints:
            identity.update_endpoint(endpoints[interface], url=url)
        else:
            identity.create_endpoint(interface=interface, url=url, service_id=service.id, region_id="RegionOne")


if __name__ == "__main__":
    main(*sys.argv[1:])
