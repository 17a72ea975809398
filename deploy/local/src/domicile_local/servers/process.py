"""Child processes that never outlive their parent.

Each child leads a session of its own, so that Ctrl-C at the terminal reaches only us and we end everything in order. Should we be
killed outright, the kernel sends each child its death signal (prctl PR_SET_PDEATHSIG, set by ``setpriv`` of util-linux). That signal is
bound to the *thread* that started the child: start children from the main thread only.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domicile_local.errors import SuiteError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Program:
    """How to run one program.

    ``env`` is the whole environment but for PATH and LANG. ``stop_signal`` asks it to end; after ``patience`` seconds SIGKILL follows.
    ``death_signal`` is what it gets when we die.
    ``unprivileged``: when we are root, run it as ``nobody`` with CAP_DAC_OVERRIDE alone, which lets it through the folders that lead to its own.
    """

    name: str
    argv: Sequence[str]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    patience: float = 10.0
    unprivileged: bool = False


def wrapped(argv: Sequence[str], *, death_signal: signal.Signals | None = None, unprivileged: bool = False) -> list[str]:
    """``argv`` behind setpriv, which becomes the program itself. Where util-linux is missing, the plain ``argv``."""
    setpriv = shutil.which("setpriv")
    options: list[str] = []
    if unprivileged and os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        options += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        options.append("--securebits=+no_setuid_fixup")  # without it access(2), which initdb asks, forgets the capability
    if death_signal is not None:
        options.append(f"--pdeathsig={death_signal.name.removeprefix('SIG')}")
    return [setpriv, *options, "--", *argv] if setpriv and options else list(argv)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the person's own environment reaches a server by accident."""
    return {"PATH": PATH, "LANG": "C.UTF-8", **extra}


class Child:
    """One running program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                wrapped(program.argv, death_signal=program.death_signal, unprivileged=program.unprivileged),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=program.cwd,
                env=environment(program.env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To the program itself; harmless when it has ended."""
        self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        self.signal(self.program.stop_signal)

    def stop(self) -> None:
        """Asks, waits, and kills what is left of its process group."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.patience)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole process group, as a crash would be."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self, lines: int = 8) -> str:
        """The end of what it wrote to its log since this start."""
        with self.program.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Polls ``ready``; raises SuiteError when the program ends first or time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise SuiteError(f"{self.died()}\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise SuiteError(
                    f"{self.program.name} was not ready after {seconds:.0f} s (log: {self.program.log}):\n{self.last_words()}"
                )
            time.sleep(0.05)

    def died(self) -> str:
        code = self._process.poll() or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{self.program.name} {how} (log: {self.program.log})"


def run(
    argv: Sequence[str],
    what: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    unprivileged: bool = False,
    text: str = "",
) -> str:
    """Runs a short command to its end, with ``text`` as its input, and returns its output; SuiteError with its last words when it fails."""
    done = subprocess.run(
        wrapped(argv, unprivileged=unprivileged),
        input=text,
        capture_output=True,
        text=True,
        env=environment(env or {}),
        cwd=cwd,
        check=False,
    )
    if done.returncode:
        raise SuiteError(f"{what} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def give_to_nobody(path: Path) -> None:
    """Hands a folder to the user that an ``unprivileged`` program runs as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def private_folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Writes a file that only we can read (0600), whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
