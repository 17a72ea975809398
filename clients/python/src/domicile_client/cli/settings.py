"""Where the installation is, and with which key it is asked: from options, the environment, or files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer

SECRETS: Final = Path("/run/secrets")  # where containers find theirs


def _variable(name: str) -> Any:
    """A field that is no option, because what is said in arguments, anybody on the machine can see."""
    return field(default_factory=lambda: os.environ.get(name, ""), repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """``admin_key_file``, ``token_file``: instead of ``admin_key``, ``token``."""

    url: str
    discovery_url: str = ""
    admin_key_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    admin_key: str = _variable("ADMIN_API_KEY")
    token: str = _variable("DOMICILE_TOKEN")

    def connection(self) -> dict[str, Any]:
        """The arguments of a client. Raises ``BadParameter``."""
        token = _content(self.token_file) or self.token
        key = _content(self.admin_key_file) or self.admin_key or ("" if token else _mounted("ADMIN_API_KEY"))
        if not key and not token:
            raise typer.BadParameter(
                "Who asks? Set ADMIN_API_KEY or DOMICILE_TOKEN, or name a file: --admin-key-file, --token-file."
            )
        if (self.certificate_file is None) != (self.certificate_key_file is None):
            raise typer.BadParameter("--certificate-file and --certificate-key-file go together.")
        certificate = None
        if self.certificate_file and self.certificate_key_file:
            certificate = _place(self.certificate_file), _place(self.certificate_key_file)
        return {
            "url": self.url,
            "discovery_url": self.discovery_url,
            "admin_key": "" if self.token_file else key,
            "token": token,
            "ca_file": _place(self.ca_file) if self.ca_file else None,
            "certificate": certificate,
        }


def _place(file: Path) -> str:
    try:
        return str(file.resolve(strict=True))
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _content(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from None
    if not text:
        raise typer.BadParameter(f"{file}: is empty")
    return text


def _mounted(name: str) -> str:
    """Empty where there is none, or none for us."""
    try:
        return (SECRETS / name).read_text("utf-8").strip()
    except OSError:
        return ""
