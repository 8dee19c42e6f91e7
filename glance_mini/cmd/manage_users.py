"""``glance-mini-manage user``: the users file of the flavours token and basic."""

import argparse
import difflib
import getpass
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from oslo_config import cfg

from glance_mini.cmd.console import MANAGE, Subparsers, add_command, load_configuration, positive
from glance_mini.cmd.login_lines import login_lines
from glance_mini.cmd.output import Record, Rows
from glance_mini.domain import property_rules
from glance_mini.domain.clock import utcnow
from glance_mini.domain.errors import ConfigurationError, Invalid
from glance_mini.standalone.token_uses import read_uses, uses_file
from glance_mini.standalone.users import IMPLIED_ROLES, User, Users, change_users, make_token, read_users

DEFAULT_ROLE = "member"


def add_parser(commands: Subparsers) -> None:
    """Add the commands of this file."""
    group = commands.add_parser("user", help="users without Keystone").add_subparsers(metavar="COMMAND", required=True)
    _add_add(group)
    add_command(group, "list", _list, text="show users and projects", example="user list --format json", question=None)
    show = add_command(
        group,
        "show",
        _show,
        text="show one user: roles, and tokens with their last use",
        example="user show alice",
        question=None,
    )
    show.add_argument("name", metavar="NAME", help="the user")
    password = add_command(
        group,
        "password",
        _password,
        text="set the password of a user",
        description="Set the password of a user. It is asked for twice on the terminal, unless --password-stdin is "
        "given. The old password ends at once.",
        example="user password alice",
        question=None,
        prepare=_ask_for_password,
    )
    password.add_argument("name", metavar="NAME", help="the user")
    _add_password_argument(password)
    _add_remove(group)


def _add_add(group: Subparsers) -> None:
    add = add_command(
        group,
        "add",
        _add,
        text="add a user, or a project, a token or a password of one",
        description="Make a user, or add a project, a token or a password to one. A new user without a password gets "
        "a token. A token is printed once, on standard output, and cannot be shown again.",
        example="user add alice --project lab --role member --token-name laptop --expires-in-days 90",
        question=None,
        prepare=_read_password,
    )
    add.add_argument("name", metavar="NAME", help="the user")
    add.add_argument("--project", metavar="PROJECT", help="the project, which owns what the user creates (NAME)")
    add.add_argument("--role", action="append", metavar="ROLE", help=f"a role in it; may be repeated ({DEFAULT_ROLE})")
    add.add_argument("--token", action="store_true", help="make a token for the project")
    add.add_argument("--token-name", metavar="NAME", help="make a token of this name (the beginning of its hash)")
    add.add_argument("--expires-in-days", type=positive, metavar="DAYS", help="make a token that expires (never)")
    _add_password_argument(add)


def _add_remove(group: Subparsers) -> None:
    remove = add_command(
        group,
        "remove",
        _remove,
        text="remove a user, or one of its projects, or some of its secrets",
        example="user remove alice --token laptop",
        question=_question,
    )
    remove.add_argument("name", metavar="NAME", help="the user")
    what = remove.add_mutually_exclusive_group()
    what.add_argument("--project", metavar="PROJECT", help="only this project of the user, with its tokens")
    what.add_argument("--token", metavar="NAME", help="only this token of the user")
    what.add_argument("--tokens", action="store_true", help="only the tokens of the user")
    what.add_argument("--password", action="store_true", help="only the password of the user")


def _add_password_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input, one line")


def _add(arguments: argparse.Namespace) -> Record:
    conf = load_configuration(arguments)
    project = arguments.project or arguments.name
    roles = tuple(arguments.role or [DEFAULT_ROLE])
    token, expires = make_token(), None
    if arguments.expires_in_days:
        expires = utcnow().replace(microsecond=0) + timedelta(days=arguments.expires_in_days)
    is_token_wanted = bool(arguments.token or arguments.token_name or expires)

    def add(users: Users) -> Users:
        nonlocal is_token_wanted
        known = users.by_name.get(arguments.name)
        is_token_wanted = is_token_wanted or (known is None and arguments.password is None)
        user = (known or User(arguments.name)).with_role(project, roles)
        user = user if arguments.password is None else user.with_password(arguments.password)
        return users.add(user.with_token(token, project, arguments.token_name, expires) if is_token_wanted else user)

    _warn_of_unknown(roles, conf)
    change_users(_users_file(conf), add)
    print(f"User {arguments.name} has these roles in project {project}: {', '.join(roles)}.", file=sys.stderr)
    for line in login_lines(conf, arguments.name, project):
        print(line, file=sys.stderr)
    return Record({"token": token} if is_token_wanted else {})


def _list(arguments: argparse.Namespace) -> Rows:
    rows = [
        (
            user.name,
            project,
            roles,
            sum(token.project == project for token in user.tokens.values()),
            user.password is not None,
        )
        for user in read_users(_users_file(load_configuration(arguments))).by_name.values()
        for project, roles in user.projects.items()
    ]
    return Rows(("user", "project", "roles", "tokens", "password"), rows)


def _show(arguments: argparse.Namespace) -> Record:
    conf = load_configuration(arguments)
    user = read_users(_users_file(conf)).get(arguments.name)
    uses = read_uses(uses_file(conf))
    tokens = tuple(
        {
            "name": token.name,
            "project": token.project,
            "created": token.created,
            "expires": token.expires,
            "last_used": uses.get(digest),
        }
        for digest, token in user.tokens.items()
    )
    return Record(
        {"name": user.name, "password": user.password is not None, "projects": user.projects, "tokens": tokens}
    )


def _password(arguments: argparse.Namespace) -> Record:
    change_users(
        _users_file(load_configuration(arguments)),
        lambda users: users.add(users.get(arguments.name).with_password(arguments.password)),
    )
    return Record({})


def _question(arguments: argparse.Namespace) -> str:
    if arguments.project:
        return f"Remove user {arguments.name} from project {arguments.project}, with its tokens?"
    if arguments.token:
        return f"Remove the token {arguments.token} of user {arguments.name}?"
    what = "the tokens of user" if arguments.tokens else "the password of user" if arguments.password else "user"
    return f"Remove {what} {arguments.name}?"


def _remove(arguments: argparse.Namespace) -> Record:
    def remove(users: Users) -> Users:
        user = users.get(arguments.name)
        if arguments.token:
            return users.add(user.without_token(arguments.token))
        if arguments.tokens:
            return users.add(user.without_tokens())
        if arguments.password:
            return users.add(user.without_password())
        rest = user.without_project(arguments.project) if arguments.project else None
        return users.add(rest) if rest and rest.projects else users.remove(user.name)

    change_users(_users_file(load_configuration(arguments)), remove)
    return Record({})


def _users_file(conf: cfg.ConfigOpts) -> Path:
    path: str | None = conf.authentication.users_file
    if not path:
        raise ConfigurationError(reason="[authentication] users_file is not set.")
    return Path(path)


def _warn_of_unknown(roles: Iterable[str], conf: cfg.ConfigOpts) -> None:
    """Warn of roles that no rule asks for: they are no mistake, but allow nothing."""
    from glance_mini.policies.enforcer import Enforcer

    known = {*IMPLIED_ROLES, *(role for implied in IMPLIED_ROLES.values() for role in implied)}
    known |= Enforcer.from_config(conf).roles()
    if conf.property_protection_file:
        known |= property_rules.load(conf.property_protection_file, conf.property_protection_rule_format).roles()
    for role in roles:
        if role.lower() not in known:
            similar = difflib.get_close_matches(role.lower(), known, n=1)
            advice = f"; did you mean '{similar[0]}'?" if similar else "."
            print(f"{MANAGE}: warning: no rule knows the role '{role}'{advice}", file=sys.stderr)


def _read_password(arguments: argparse.Namespace) -> None:
    """Set ``arguments.password``; None if none is given."""
    arguments.password = None
    if arguments.password_stdin:
        arguments.password = sys.stdin.readline().rstrip("\r\n")
        if not arguments.password:
            raise Invalid(reason="Standard input holds no password.")


def _ask_for_password(arguments: argparse.Namespace) -> None:
    _read_password(arguments)
    if arguments.password is None:
        if not sys.stdin.isatty():
            raise Invalid(reason="There is no terminal to ask for the password on; give --password-stdin.")
        arguments.password = getpass.getpass("Password: ")
        if arguments.password != getpass.getpass("Again: "):
            raise Invalid(reason="The two passwords differ.")
