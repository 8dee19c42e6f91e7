"""``glance-mini-manage user``: the users file of the flavours token and basic."""

import argparse
import sys
from pathlib import Path

from glance_mini.cmd.console import Subparsers, configuration_arguments, load_configuration
from glance_mini.cmd.tables import print_table
from glance_mini.domain.errors import ConfigurationError, Invalid, NotFound
from glance_mini.standalone.users import User, Users, change_users, make_token, read_users

DEFAULT_ROLE = "member"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    common = configuration_arguments()
    group = commands.add_parser("user", help="users without Keystone").add_subparsers(metavar="COMMAND", required=True)
    add = group.add_parser(
        "add",
        parents=[common],
        help="add a user, or a project, a token or a password of one",
        description="Make a user, or add a project, a token or a password to one. A new user without a password gets "
        "a token. A token is printed once, on standard output, and cannot be shown again.",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--project", metavar="PROJECT", help="the project, which owns what the user creates (NAME)")
    add.add_argument("--role", action="append", metavar="ROLE", help=f"a role in it; may be repeated ({DEFAULT_ROLE})")
    add.add_argument("--token", action="store_true", help="make a token for the project")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input, one line")
    add.set_defaults(command=_add)
    listing = group.add_parser("list", parents=[common], help="show users and projects")
    listing.set_defaults(command=_list)
    remove = group.add_parser("remove", parents=[common], help="remove a user, or one of its projects, or its tokens")
    remove.add_argument("name", metavar="NAME")
    what = remove.add_mutually_exclusive_group()
    what.add_argument("--project", metavar="PROJECT", help="only this project of the user, with its tokens")
    what.add_argument("--tokens", action="store_true", help="only the tokens of the user")
    remove.set_defaults(command=_remove)


def _add(arguments: argparse.Namespace) -> int:
    path = _users_file(arguments)
    project = arguments.project or arguments.name
    roles = tuple(arguments.role or [DEFAULT_ROLE])
    password = _read_password() if arguments.password_stdin else None
    token = make_token()
    is_token_wanted = arguments.token

    def add(users: Users) -> Users:
        nonlocal is_token_wanted
        known = users.by_name.get(arguments.name)
        is_token_wanted = is_token_wanted or (known is None and password is None)
        user = (known or User(arguments.name)).with_role(project, roles)
        user = user.with_password(password) if password is not None else user
        return users.add(user.with_token(token, project) if is_token_wanted else user)

    change_users(path, add)
    print(f"User {arguments.name} has these roles in project {project}: {', '.join(roles)}.", file=sys.stderr)
    if is_token_wanted:
        print(token)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    rows = []
    for user in read_users(_users_file(arguments)).by_name.values():
        for project, roles in user.projects.items():
            tokens = list(user.tokens.values()).count(project)
            rows.append((user.name, project, ",".join(roles), str(tokens), "yes" if user.password else "no"))
    print_table(("USER", "PROJECT", "ROLES", "TOKENS", "PASSWORD"), rows)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    def remove(users: Users) -> Users:
        user = users.by_name.get(arguments.name)
        if user is None:
            raise NotFound(kind="user", id=arguments.name)
        if arguments.tokens:
            return users.add(user.without_tokens())
        rest = user.without_project(arguments.project) if arguments.project else None
        return users.add(rest) if rest and rest.projects else users.remove(user.name)

    change_users(_users_file(arguments), remove)
    return 0


def _users_file(arguments: argparse.Namespace) -> Path:
    path: str | None = load_configuration(arguments).authentication.users_file
    if not path:
        raise ConfigurationError(reason="[authentication] users_file is not set.")
    return Path(path)


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid(reason="Standard input holds no password.")
    return password
