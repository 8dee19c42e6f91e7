"""``glance-mini-status upgrade check``: checks whether this release can run an installation (oslo.upgradecheck)."""

import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from glance_mini import conf as configuration
from glance_mini.cmd import upgrade_checks
from glance_mini.conf.state import set_state_directory
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.state import find_configuration

PROGRAM = "glance-mini-status"

Check = Callable[[cfg.ConfigOpts], upgradecheck.Result]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("Configuration", upgrade_checks.check_configuration),
    ("Deprecated options", upgrade_checks.check_deprecated_options),
    ("Policy files", upgrade_checks.check_policies),
    ("Database tables", upgrade_checks.check_tables),
    ("Stores of locations", upgrade_checks.check_locations),
    ("Staging area", upgrade_checks.check_staging),
    ("Disk space", upgrade_checks.check_disk_space),
)


class Checks(upgradecheck.UpgradeCommands):
    """The checks before the new release is started."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """``conf`` describes the installation; it may be read later."""
        self._conf = conf
        self._upgrade_checks = tuple((name, self._bound(check)) for name, check in CHECKS)

    def check(self) -> upgradecheck.Code:
        """Run all checks, print their results and return the worst of them."""
        set_state_directory(self._conf, self._conf.config_file)
        return super().check()

    def _bound(self, check: Check) -> "Callable[[Checks], upgradecheck.Result]":
        # The library gives each check its own object.
        return lambda _: check(self._conf)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (None: that of the process); 0 in order, 1 warnings, 2 failures, 255 an error."""
    conf = configuration.Configuration()
    configuration.register_opts(conf)
    try:
        files = [str(path) for path in find_configuration().existing_files()]
    except ConfigurationError:
        # --config-file may follow; without it the defaults are checked.
        files = []
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return upgradecheck.main(conf, configuration.PROJECT, Checks(conf), words, files)
    except cfg.Error as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 255


if __name__ == "__main__":
    sys.exit(main())
