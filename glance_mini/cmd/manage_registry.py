"""``glance-mini-manage registry``: certificates for registries and for the nodes that use them."""

import argparse
from pathlib import Path

from glance_mini.cmd.console import Subparsers, add_command, positive
from glance_mini.cmd.output import Record
from glance_mini.operations.base import Role


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    parser = commands.add_parser("registry", help="the registry service")
    group = parser.add_subparsers(metavar="COMMAND", required=True)
    certificates = add_command(
        group,
        "certificates",
        _certificates,
        text="make the certificate of a registry or of a node",
        example="registry certificates /etc/glance-mini/tls api1 --role api --role worker",
        question=None,
        description="Make a certificate for NAME in the directory, and its key. The first call makes the authority "
        "(ca.pem and ca-key.pem) that signs all of them. A registry needs --address, and a node needs --role.",
    )
    certificates.add_argument("directory", type=Path, metavar="DIR", help="where the certificates are kept")
    certificates.add_argument("name", metavar="NAME", help="the name of the registry or the node")
    certificates.add_argument(
        "--address",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a name or an IP address at which nodes reach this registry; may be repeated",
    )
    certificates.add_argument(
        "--role",
        action="append",
        type=Role,
        choices=tuple(Role),
        default=[],
        metavar="ROLE",
        help="a role of this node: api, worker, readonly or migrate; may be repeated",
    )
    certificates.add_argument("--days", type=positive, default=365, metavar="DAYS", help="days of validity (365)")
    certificates.add_argument("--renew", action="store_true", help="replace the certificate and the key of NAME")


def _certificates(arguments: argparse.Namespace) -> Record:
    from glance_mini.domain.errors import Invalid
    from glance_mini.registry.authority import Authority

    if not arguments.address and not arguments.role:
        raise Invalid(reason="A registry needs --address, and a node needs --role.")
    authority = Authority(arguments.directory)
    pair = authority.issue(arguments.name, arguments.role, arguments.address, arguments.days, renew=arguments.renew)
    return Record(
        {"certificate": str(pair.certificate), "key": str(pair.key), "authority": str(authority.files.certificate)}
    )
