"""The state directory: all files of a service that was started without a configuration.

This module makes it, and finds the configuration for commands that name none. ``conf`` describes the options.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glance_mini.conf import FILE_NAME, SYSTEM_FILE
from glance_mini.domain.errors import ConfigurationError
from glance_mini.standalone.clouds import Login, read_token, write_cloud, write_login_openrc, write_token_openrc
from glance_mini.standalone.files import write_private
from glance_mini.standalone.users import User, Users, change_users, make_token

ADMINISTRATOR = "admin"
"""The user and the project of the first token."""

CONFIGURATION_DIRECTORY = "OS_GLANCE_CONFIG_DIR"
"""The environment variable that names a directory of configuration files."""

_LOCKED_BYTE = 2**62

_CONFIGURATION_FILES = ("glance-image-import.conf", "glance-api.conf", FILE_NAME)

_CONFIGURATION = """\
# Made by glance-mini at its first start; you may change it. $state_directory is the directory of this file.

[DEFAULT]
enabled_backends = images:file
node_staging_uri = file://$state_directory/staging

[glance_store]
default_backend = images

[images]
filesystem_store_datadir = $state_directory/images

[database]
connection = sqlite:///$state_directory/glance-mini.db

[task]
work_dir = $state_directory/work

[paste_deploy]
flavor = token

[authentication]
users_file = $state_directory/users.json
"""


@dataclass(frozen=True)
class StateDirectory:
    """The state directory at the absolute ``path``, which may not exist yet."""

    path: Path

    @property
    def config_file(self) -> Path:
        """Return the path of the configuration; a directory with this file is a state directory."""
        return self.path / FILE_NAME

    @property
    def users_file(self) -> Path:
        """Return the path of the users file."""
        return self.path / "users.json"

    @property
    def clouds_file(self) -> Path:
        """Return the path of the file in which clients find URL and token."""
        return self.path / "clouds.yaml"

    @property
    def openrc_file(self) -> Path:
        """Return the path of the file with which a shell tells clients to log in."""
        return self.path / "openrc"

    @property
    def token_openrc_file(self) -> Path:
        """Return the path of the file with which a shell tells clients to send the administrator's token."""
        return self.path / "openrc-token"

    @property
    def metrics(self) -> Path:
        """Return the directory in which the processes of a running service keep their metrics."""
        return self.path / "metrics"

    @property
    def access_log(self) -> Path:
        """Return the path of the access log."""
        return self.path / "access.log"

    def create(self) -> None:
        """Make the directory and its configuration, readable by their owner only; do nothing if they exist.

        Raises ConfigurationError for a directory with other things in it, and OSError.
        """
        if self.config_file.exists():
            return
        if self.path.exists() and not self.path.is_dir():
            raise ConfigurationError(reason=f"{self.path} is not a directory.")
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(self.path.iterdir()):
            raise ConfigurationError(
                reason=f"{self.path} is not a state directory: it is not empty and holds no {FILE_NAME}. "
                "Name another by --state."
            )
        self.path.chmod(0o700)
        write_private(self.config_file, _CONFIGURATION)

    def prepare_clients(
        self, endpoint: str, certificate: str | None, region: str | None = None, *, by_token: bool = True
    ) -> None:
        """Write ``endpoint`` and an administrator's token to ``clouds.yaml``; makes the token if there is none yet.

        ``certificate`` is the file with which clients verify the server; None without TLS. ``region`` is that of a
        service at which clients log in: then ``clouds.yaml`` and ``openrc`` say how; None without a log-in.
        ``by_token`` says whether the service takes the token itself: then ``openrc-token`` says how. Raises
        ConfigurationError if a file cannot be parsed, and OSError.
        """
        token = read_token(self.clouds_file)
        if token is None or not self.users_file.exists():
            token = token or make_token()
            self._admit_administrator(token)
        login = None if region is None else Login(endpoint, ADMINISTRATOR, ADMINISTRATOR, token, region)
        write_cloud(self.clouds_file, endpoint, token, certificate, login)
        write_login_openrc(self.openrc_file, login, certificate)
        write_token_openrc(self.token_openrc_file, endpoint, token if by_token else None, certificate)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude a second service from the directory until the context ends; raises ConfigurationError.

        The lock belongs to this process: children that survive it do not hold it.
        """
        refusal = f"A service is already running on {self.path}; stop it, or name another directory by --state."
        with _locked(self.path / "lock", refusal):
            yield

    @property
    def former_path(self) -> str | None:
        """Return the path at the last start, None before the first one."""
        with contextlib.suppress(FileNotFoundError):
            return self._path_file.read_text(encoding="utf-8").rstrip("\n")
        return None

    def note_path(self) -> None:
        """Remember the present path for ``former_path``."""
        if self.former_path != str(self.path):
            write_private(self._path_file, f"{self.path}\n")

    @property
    def _path_file(self) -> Path:
        return self.path / "directory"

    def _admit_administrator(self, token: str) -> None:
        def admit(users: Users) -> Users:
            user = users.by_name.get(ADMINISTRATOR) or User(ADMINISTRATOR)
            if ADMINISTRATOR not in user.projects:
                user = user.with_role(ADMINISTRATOR, ("admin",))
            return users.add(user.with_token(token, ADMINISTRATOR))

        change_users(self.users_file, admit)


@contextlib.contextmanager
def lock_database(path: Path) -> Iterator[None]:
    """Exclude a second service from the SQLite database ``path`` until the context ends; raises ConfigurationError.

    The lock belongs to this process, which must not open the file otherwise.
    """
    with _locked(path, f"Another service uses the database {path}."):
        yield


@contextlib.contextmanager
def _locked(path: Path, refusal: str) -> Iterator[None]:
    with open(path, "ab") as file:
        try:
            # A byte that SQLite does not lock.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCKED_BYTE)
        except OSError as error:
            raise ConfigurationError(reason=refusal) from error
        yield


@dataclass(frozen=True)
class Source:
    """The source of a configuration: ``files``, or a state directory, which may not exist yet."""

    files: tuple[Path, ...] = ()
    state: StateDirectory | None = None

    def existing_files(self) -> tuple[Path, ...]:
        """Return the files to read; raises ConfigurationError if nothing is configured yet."""
        if self.state is None:
            return self.files
        if not self.state.config_file.exists():
            raise ConfigurationError(
                reason=f"There is no configuration in {self.state.path}; "
                "name one by --config-file, or let `glance-mini serve` make one."
            )
        return (self.state.config_file,)


def find_configuration(
    files: Sequence[Path] = (), state: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Source:
    """Return the source of the configuration.

    In this order: ``files``, the directory ``state``, the directory that OS_GLANCE_CONFIG_DIR names, the usual state
    directory, the file of the system; if none of them exists, the usual state directory. Raises ConfigurationError.
    """
    if files:
        return Source(files=tuple(files))
    if state is not None:
        return Source(state=StateDirectory(state.absolute()))
    if directory := environ.get(CONFIGURATION_DIRECTORY):
        return Source(files=_files_in(Path(directory)))
    usual = StateDirectory(usual_path(environ))
    if not usual.config_file.exists() and SYSTEM_FILE.exists():
        return Source(files=(SYSTEM_FILE,))
    return Source(state=usual)


def usual_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the state directory if none is named (XDG Base Directory Specification 0.8)."""
    home = Path(environ.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "glance-mini"


def _files_in(directory: Path) -> tuple[Path, ...]:
    files = tuple(directory / name for name in _CONFIGURATION_FILES if (directory / name).exists())
    if not files:
        raise ConfigurationError(reason=f"{directory}, named by {CONFIGURATION_DIRECTORY}, holds no {FILE_NAME}.")
    return files
