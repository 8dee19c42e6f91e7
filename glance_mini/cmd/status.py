"""``glance-mini-status upgrade check``: checks whether this release can run an installation (oslo.upgradecheck)."""

import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from glance_mini import conf as configuration
from glance_mini.cmd.manage_database import find_problem
from glance_mini.conf.state import set_state_directory
from glance_mini.conf.validation import validate
from glance_mini.domain.errors import ConfigurationError
from glance_mini.policies.enforcer import Enforcer
from glance_mini.standalone.state import find_configuration

PROGRAM = "glance-mini-status"

_DONE = upgradecheck.Result(upgradecheck.Code.SUCCESS)


class Checks(upgradecheck.UpgradeCommands):
    """The checks before the new release is started."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """``conf`` describes the installation; it may be read later."""
        self._conf = conf

    def configuration(self) -> upgradecheck.Result:
        """Return whether the service would start with these options."""
        set_state_directory(self._conf, self._conf.config_file)
        return _outcome(lambda: validate(self._conf))

    def policies(self) -> upgradecheck.Result:
        """Return whether the policy files can be used."""
        return _outcome(lambda: Enforcer.from_config(self._conf))

    def tables(self) -> upgradecheck.Result:
        """Return whether the tables are those of this release; a necessary migration is a warning."""
        try:
            problem = find_problem(self._conf)
        except ConfigurationError as error:
            return upgradecheck.Result(upgradecheck.Code.FAILURE, str(error))
        return upgradecheck.Result(upgradecheck.Code.WARNING, problem) if problem else _DONE

    _upgrade_checks = (
        ("Configuration", configuration),
        ("Policy files", policies),
        ("Database tables", tables),
    )


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


def _outcome(check: Callable[[], object]) -> upgradecheck.Result:
    try:
        check()
    except ConfigurationError as error:
        return upgradecheck.Result(upgradecheck.Code.FAILURE, str(error))
    return _DONE


if __name__ == "__main__":
    sys.exit(main())
