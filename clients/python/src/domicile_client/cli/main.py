"""The entry point: options that all commands share, and how every command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Final

import typer

from domicile_client.cli import (
    audit,
    backends,
    buckets,
    erasures,
    jobs,
    keys,
    policies,
    snapshots,
    status,
    tasks,
    tenants,
    tokens,
)
from domicile_client.cli.settings import Settings
from domicile_client.cli.shell import INTERRUPTED, NO_ANSWER, NOT_ADMITTED, REFUSED, WRONG_CALL, Shell, command
from domicile_client.errors import ClientError, Misdirected, NoAnswer, NotAdmitted, Refused

DEFAULT_URL = "http://127.0.0.1:9010"
EXIT_CODES: Final[Mapping[type[ClientError], int]] = {
    Misdirected: WRONG_CALL,
    Refused: REFUSED,
    NoAnswer: NO_ANSWER,
    NotAdmitted: NOT_ADMITTED,
}

app = typer.Typer(
    name="domicile",
    help="Manage an installation of Domicile.",
    epilog="Exit codes: 0 done, 1 refused (or what was asked for is not so), 2 wrong call or setting, 3 no answer, 4 not admitted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_of("domicile-client"))
        raise typer.Exit


@app.callback()
def connect(
    context: typer.Context,
    url: Annotated[str, typer.Option(envvar="DOMICILE_METADATA_URL", help="Where the metadata service answers.")] = DEFAULT_URL,
    discovery_url: Annotated[
        str, typer.Option(envvar="DOMICILE_DISCOVERY_URL", help="Where discovery answers, for sovereignty, diffs and plans.")
    ] = "",
    admin_key_file: Annotated[
        Path | None,
        typer.Option(envvar="ADMIN_API_KEY_FILE", help="A file with the admin key (the variable ADMIN_API_KEY, /run/secrets)."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(envvar="DOMICILE_TOKEN_FILE", help="A file with a token, instead of the admin key (DOMICILE_TOKEN)."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(envvar=["DOMICILE_CA_FILE", "TLS_CA"], help="Certificates to trust besides the public ones."),
    ] = None,
    certificate_file: Annotated[
        Path | None,
        typer.Option(envvar="TLS_CLIENT_CERTIFICATE", help="The certificate to show where the service asks for one."),
    ] = None,
    certificate_key_file: Annotated[Path | None, typer.Option(envvar="TLS_CLIENT_KEY", help="Its key.")] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Shell(Settings(url, discovery_url, admin_key_file, token_file, ca_file, certificate_file, certificate_key_file))


command(app, "status")(status.status)
tasks.add_to(app)
for name, subject in {
    "tenants": tenants.app,
    "keys": keys.app,
    "tokens": tokens.app,
    "audit": audit.app,
    "backends": backends.app,
    "policies": policies.app,
    "placement": policies.changes,
    "buckets": buckets.app,
    "jobs": jobs.app,
    "tasks": tasks.app,
    "scrub": tasks.scrubs,
    "erasures": erasures.app,
    "snapshots": snapshots.app,
    "sovereignty": snapshots.places,
    "secrets": erasures.secrets,
}.items():
    app.add_typer(subject, name=name)


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Whatever goes wrong is one line on stderr."""
    try:
        return int(app(args=arguments, prog_name="domicile", standalone_mode=False) or 0)
    except typer.TyperException as wrong:
        return _ended(WRONG_CALL, _with_help(wrong))
    except ClientError as error:
        return _ended(EXIT_CODES[type(error)], str(error))
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OSError as error:  # the answer could not be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter tries again as it ends
        return _ended(REFUSED, f"standard output: {error.strerror}")


def _with_help(wrong: typer.TyperException) -> str:
    """The message, and for what is wrong with the call itself, where it says what is right. Empty where help was shown instead."""
    text, context = wrong.format_message(), getattr(wrong, "ctx", None)
    of_the_call = getattr(wrong, "param", True)  # what is found while a command runs is about no parameter
    return f"{text.rstrip('.')}. See {context.command_path} --help." if text and context and of_the_call else text


def _ended(code: int, text: str) -> int:
    if text:
        typer.echo(f"domicile: {' '.join(text.split())}", err=True)
    return code


def main() -> None:
    sys.exit(run())
