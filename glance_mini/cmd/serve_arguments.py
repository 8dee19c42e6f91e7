"""The arguments of ``glance-mini serve`` that override options. Commands about the configuration take them too."""

import argparse
from pathlib import Path

from oslo_config import cfg

from glance_mini.cmd.console import positive
from glance_mini.conf.workers import EMBEDDED_POLL_INTERVAL


def serve_arguments() -> argparse.ArgumentParser:
    """Return the parent of parsers that take these arguments."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--bind", metavar="HOST:PORT", help="the address to listen on (127.0.0.1:9292)")
    parent.add_argument("--workers", type=positive, metavar="N", help="the processes that answer requests (2)")
    parent.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain in PEM; enables HTTPS")
    parent.add_argument("--tls-key", type=Path, metavar="FILE", help="private key in PEM, unless --tls-cert holds it")
    parent.add_argument(
        "--no-worker",
        action="store_true",
        help="run no worker; leave jobs to glance-mini-worker processes elsewhere",
    )
    return parent


def apply_arguments(arguments: argparse.Namespace, conf: cfg.ConfigOpts) -> None:
    """Override options of ``conf`` with the arguments that were given, and set the defaults of a service."""
    key = arguments.tls_key or arguments.tls_cert
    given = {
        "bind": arguments.bind,
        "workers": arguments.workers,
        "tls_certificate": arguments.tls_cert and str(arguments.tls_cert.absolute()),
        "tls_key": key and str(key.absolute()),
        "worker": False if arguments.no_worker else None,
    }
    for name, value in given.items():
        if value is not None:
            conf.set_override(name, value, group="server")
    conf.set_default("poll_interval", EMBEDDED_POLL_INTERVAL, group="workers")
