"""``glance-mini-registry``: answers the data calls of API and worker nodes that have no database."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from wsgiref.types import WSGIApplication

from oslo_config import cfg

from glance_mini.cmd import console
from glance_mini.cmd.child import run_in_child
from glance_mini.cmd.expected import EXPECTED, print_error
from glance_mini.cmd.importing import imported
from glance_mini.cmd.logs import log_as_configured, log_early
from glance_mini.cmd.serve.server import ServerSettings, run

PROGRAM = "glance-mini-registry"

CANNOT_BUILD = 3
"""The exit code if the application cannot be built; gunicorn then starts no further worker and stops."""

_MODULES = ("glance_mini.bootstrap", "glance_mini.registry.application", "glance_mini.db.sqlalchemy.access")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process) and return the exit code."""
    arguments = make_parser().parse_args(argv)
    return console.run(arguments.command, arguments, PROGRAM)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The registry service: it answers the data calls of nodes without a database over HTTPS.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('glance_mini')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve = commands.add_parser(
        "serve",
        parents=[console.configuration_arguments()],
        help="start the registry",
        description="Start the registry with the options of [registry_service] and the database of [database].",
    )
    serve.set_defaults(command=_serve)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    conf = console.load_configuration(arguments)
    log_early()
    run_in_child(lambda: _validate(conf))
    with tempfile.TemporaryDirectory(prefix="glance-mini-registry-") as metrics, imported(_MODULES, metrics):
        run_in_child(lambda: _rehearse(conf))
        return run(
            _settings(conf),
            lambda: _make_application(conf),
            on_ready=lambda: print(f"The registry answers at https://{conf.registry_service.bind}", flush=True),
            multiproc_dir=metrics,
        )


def _validate(conf: cfg.ConfigOpts) -> None:
    from glance_mini.conf.validation import validate_registry

    validate_registry(conf)


def _rehearse(conf: cfg.ConfigOpts) -> None:
    """Make the application once and wait for the database, so that each error is reported once."""
    from glance_mini.bootstrap import load_registry
    from glance_mini.cmd.manage_database import require_tables

    load_registry(conf, starts=False).close()
    require_tables(conf)


def _settings(conf: cfg.ConfigOpts) -> ServerSettings:
    service = conf.registry_service
    return ServerSettings(
        bind=(service.bind,),
        workers=service.workers,
        threads=service.threads,
        keepalive=service.keepalive,
        graceful_timeout=service.graceful_timeout,
        # A call gets a thread when all of it is there.
        streamed="(?!)",
        small_body=service.max_call_mib * 1024**2,
        waiting_bytes=4 * service.max_call_mib * 1024**2,
        tls_certificate=service.certificate,
        tls_key=service.key,
        tls_client_ca=service.client_ca,
        tls_client_crl=service.client_crl,
    )


def _make_application(conf: cfg.ConfigOpts) -> WSGIApplication:
    log_as_configured(conf)
    from glance_mini.bootstrap import load_registry

    try:
        return load_registry(conf)
    except EXPECTED as error:
        print_error(PROGRAM, error)
        raise SystemExit(CANNOT_BUILD) from error


if __name__ == "__main__":
    sys.exit(main())
