"""What our own S3 backends have in common, whatever their software, and how to try any backend."""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Any, ClassVar

import boto3
import botocore.config
import botocore.exceptions

from domicile_local.errors import SuiteError
from domicile_local.servers.process import Child, Program, private_folder
from domicile_local.servers.reach import S3Backend


class S3Server(ABC):
    """One S3 backend with its own credentials, data folder and ports (``backend.ports``), on 127.0.0.1 only."""

    software: ClassVar[str]
    patience: ClassVar[float] = 10.0  # seconds from TERM to SIGKILL
    death_signal: ClassVar[Signals] = Signals.SIGKILL  # what was acknowledged must survive it

    def __init__(self, folder: Path, backend: S3Backend) -> None:
        self.backend = backend
        self.name = f"{self.software} {backend.backend_id}"
        self._folder = folder
        self._children: list[Child] = []

    def check(self) -> None:  # noqa: B027 - most come along with us
        """Raises SuiteError where it cannot be run."""

    @abstractmethod
    def _start(self) -> None:
        """Runs its programs, in the order they need each other; the last one answers S3."""

    def start(self) -> None:
        self.check()
        private_folder(self._folder)
        self._children = []
        self._start()

    @property
    def child(self) -> Child:
        if not self._children:
            raise SuiteError(f"{self.name} was not started")
        return self._children[-1]

    def wait_ready(self, seconds: float = 60) -> None:
        self.child.wait_until(lambda: answers(self.backend), seconds)

    def ask_to_stop(self) -> None:
        for child in self._children[-1:]:
            child.ask_to_stop()

    def stop(self) -> None:
        for child in reversed(self._children):
            child.stop()

    def kill(self) -> None:
        for child in reversed(self._children):
            child.kill()

    def _run(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        program = Program(
            name=name,
            argv=argv,
            log=self._folder.parent / "logs" / f"{self._folder.name}.log",
            cwd=self._folder,
            env={"HOME": str(self._folder), **(env or {})},
            death_signal=self.death_signal,
            patience=self.patience,
        )
        self._children.append(Child(program))


def client(backend: S3Backend) -> Any:
    """A boto3 client that fails fast instead of retrying."""
    settings = botocore.config.Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        signature_version="s3v4",
    )
    return connect(backend.endpoint, backend.access_key, backend.secret_key, settings, backend.region)


_connecting = threading.Lock()  # a session may be used by one thread at a time, its clients by many


@functools.cache
def _session() -> boto3.Session:
    """Has read botocore's description of S3, which takes ten times as long as the rest of making a client."""
    return boto3.Session()


def connect(endpoint: str, access_key: str, secret_key: str, settings: botocore.config.Config, region: str = "us-east-1") -> Any:
    """A boto3 client."""
    with _connecting:
        return _session().client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=region,
            config=settings,
        )


def answers(backend: S3Backend) -> bool:
    """A real object goes in and comes out: an open port says little, because writes need all parts of a store."""
    s3 = client(backend)
    place = {"Bucket": "domicile-readiness", "Key": "probe"}
    try:
        with suppress(s3.exceptions.BucketAlreadyExists, s3.exceptions.BucketAlreadyOwnedByYou):  # a server may die in mid-probe
            s3.create_bucket(Bucket=place["Bucket"])
        s3.put_object(**place, Body=b"ready?")
        body = s3.get_object(**place)["Body"].read()
        s3.delete_object(**place)
        s3.delete_bucket(Bucket=place["Bucket"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return False
    finally:
        s3.close()
    return bool(body == b"ready?")
