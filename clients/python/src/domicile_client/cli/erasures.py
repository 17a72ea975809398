from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from domicile_client import erasures, sealing
from domicile_client.certificates import NotGenuineError, verify
from domicile_client.cli.options import OfLevel, everybody
from domicile_client.cli.shell import REFUSED, Action, Shell, ask, command

app = typer.Typer(help="Certificates of erasure.", no_args_is_help=True)
secrets = typer.Typer(help="Sealed secrets in the record.", no_args_is_help=True)


@command(app, "certify")
def certify(
    whose: OfLevel,
    key: Annotated[str | None, typer.Option(help="Of this key of the bucket.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Of all keys that begin with this.")] = None,
    hash_keys: Annotated[bool, typer.Option("--hash-keys", help="Keys stand there as their SHA-256.")] = False,
    after: Annotated[int | None, typer.Option(help="What the certificate before ends with.")] = None,
    limit: Annotated[int, typer.Option(help="How many removals to state at most.")] = 10_000,
) -> Action:
    """State what of a tenant, a bucket, a key or a prefix is gone, signed; always as JSON."""
    tenant, bucket = everybody(whose)
    call = erasures.certify(tenant or "", bucket, key=key, prefix=prefix, hash_keys=hash_keys or None, after=after, limit=limit)

    def run(shell: Shell) -> None:
        shell.json = True  # a certificate is kept as it was signed
        shell.show(shell.client.ask(call))

    return run


@command(app, "key")
def public_key() -> Action:
    """Show the public key that certificates are verified with."""
    return ask(erasures.public_key())


@command(app, "verify")
def verify_certificate(
    file: Annotated[Path, typer.Argument(help="A certificate, as it was answered.")],
    key: Annotated[str, typer.Argument(metavar="PUBLIC-KEY", help="From a source that is trusted.")],
) -> Action:
    """Verify a certificate; asks nobody."""

    def run(shell: Shell) -> None:
        try:
            certificate = verify(json.loads(file.read_text("utf-8")), key)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{file}: {error}") from None
        except NotGenuineError as error:
            shell.tell(f"not genuine: {error}")
            raise typer.Exit(REFUSED) from None
        shell.show(certificate)

    return run


@command(secrets, "reseal")
def reseal() -> Action:
    """Seal everything with the present passphrase, after it was changed."""
    return ask(sealing.reseal())
