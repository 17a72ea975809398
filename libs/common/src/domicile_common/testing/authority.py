"""A certificate authority of a test's own."""

from __future__ import annotations

import ssl
from pathlib import Path

from domicile_local import authority


class Authority:
    """``file``: its certificate. All files are in ``folder``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._authority = authority.Authority.named(name)
        self.file = self.write(f"{name}.pem", self._authority.certificate(days=1).encode())

    def issue(self, name: str) -> tuple[Path, Path]:
        """A new certificate for 127.0.0.1 and localhost, and its key, in the files of this name. Each is replaced as a whole."""
        shown, key = self._authority.issue(name, ["127.0.0.1", "localhost"], days=1)
        return self.write(f"{name}.crt", shown.encode()), self.write(f"{name}.key", key.encode())

    def write(self, name: str, content: bytes) -> Path:
        fresh, path = self._folder / f".{name}", self._folder / name
        fresh.write_bytes(content)
        fresh.chmod(0o600)
        return fresh.rename(path)

    def context(self, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Of a client that trusts it alone."""
        context = ssl.create_default_context(cafile=self.file)
        if shown:
            context.load_cert_chain(*shown)
        return context
