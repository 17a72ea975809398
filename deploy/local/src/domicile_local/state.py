"""The state folder: data, logs, the secrets of this suite, and the lock that keeps two suites from sharing it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from domicile_local.errors import SuiteError
from domicile_local.servers.process import private_folder, write_private
from domicile_local.servers.reach import DEFAULT_BACKENDS, BackendKind, S3Backend


class Key(msgspec.Struct, frozen=True):
    """An S3 key pair."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Key({self.access_key!r})"


def random_key() -> Key:
    return Key(secrets.token_hex(10), secrets.token_hex(20))


class Kept(msgspec.Struct):
    """What outlives a run. ``secrets``: by setting name, and the passwords of our own servers. ``tenants``: by tenant id.

    ``backend_kind``: of the backends that hold the data here. ``has_samples``: what is there to be shown was put in once.
    """

    backend_kind: BackendKind | None = None
    has_samples: bool = False
    secrets: dict[str, str] = {}
    backends: dict[str, Key] = {}
    tenants: dict[str, Key] = {}


class State:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "secrets.json"
        self.kept = self._read()

    def _read(self) -> Kept:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Kept) if self._file.exists() else Kept()
        except msgspec.MsgspecError as error:
            raise SuiteError(
                f"{self._file} is damaged ({error}), and only it opens the data in {self.folder}. "
                "Bring it back, or remove the folder to begin anew."
            ) from None

    @property
    def run_env(self) -> Path:
        return self.folder / "run.env"

    def save(self) -> None:
        write_private(self._file, msgspec.json.format(msgspec.json.encode(self.kept), indent=2).decode())

    def secret(self, name: str) -> str:
        """Made at its first use; 256 bits."""
        if name not in self.kept.secrets:
            self.kept.secrets[name] = secrets.token_hex(32)
            self.save()
        return self.kept.secrets[name]

    def backend_kind(self, wanted: BackendKind | None) -> BackendKind:
        """Chosen at the first use, for good: the data lies there. Raises SuiteError when another one is wanted."""
        if self.kept.backend_kind is None:
            self.kept.backend_kind = wanted or DEFAULT_BACKENDS
            self.save()
        if wanted not in {None, self.kept.backend_kind}:
            raise SuiteError(
                f"The data in {self.folder} lies on {self.kept.backend_kind} backends. Set DOMICILE_STATE to another folder for BACKENDS={wanted}."
            )
        return self.kept.backend_kind

    def backend_key(self, backend_id: str) -> Key:
        return self._key(self.kept.backends, backend_id)

    def tenant_key(self, tenant_id: str) -> Key:
        return self._key(self.kept.tenants, tenant_id)

    def _key(self, keys: dict[str, Key], name: str) -> Key:
        if name not in keys:
            keys[name] = random_key()
            self.save()
        return keys[name]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Ours alone until it ends, however it ends. Raises SuiteError while another suite runs here."""
    private_folder(folder)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise SuiteError(
                f"A suite already runs on {folder} (process {file.read().strip()}). Stop it, or set DOMICILE_STATE and DOMICILE_PORT to run another."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_running(folder: Path) -> bool:
    """A folder that never was locked may describe a suite that something else runs, as ``make up`` does."""
    if not (folder / "lock").exists():
        return (folder / "run.env").exists()
    try:
        with (folder / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def tenant_lines(keys: Mapping[str, Key]) -> dict[str, str]:
    """By the beginning of their names in run.env."""
    pairs = ({f"{prefix}_ACCESS_KEY": key.access_key, f"{prefix}_SECRET_KEY": key.secret_key} for prefix, key in keys.items())
    return {name: value for pair in pairs for name, value in pair.items()}


def backend_lines(backends: Iterable[S3Backend]) -> dict[str, str]:
    """As ``settings.backends_in`` reads them."""
    lines: dict[str, str] = {}
    for backend in backends:
        prefix = f"DOMICILE_BACKEND_{backend.backend_id.upper().replace('-', '_')}"
        lines |= {
            f"{prefix}_ENDPOINT": backend.endpoint,
            f"{prefix}_ACCESS_KEY": backend.access_key,
            f"{prefix}_SECRET_KEY": backend.secret_key,
            f"{prefix}_COUNTRY": backend.country,
        }
    return lines


def write_run_env(path: Path, values: Mapping[str, str]) -> None:
    """For a shell: ``set -a; . run.env``."""
    write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()))


def read_run_env(path: Path) -> dict[str, str]:
    if not path.exists():
        raise SuiteError(f"No suite is ready: {path} is not there.")
    pairs = (word.partition("=") for word in shlex.split(path.read_text(encoding="utf-8")))
    return {name: value for name, _, value in pairs}
