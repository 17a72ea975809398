"""The command line: ``python -m domicile_discovery.cli <subject> <action> ...``: sovereignty checks and snapshots, without a browser.

``sovereignty`` needs nothing but the catalogue; with ``--among backends``, and for snapshots, it asks metadata's admin API, which
DOMICILE_METADATA_URL and ADMIN_API_KEY say how to reach. It prints JSON. Exit status: 0, 1 when something was refused or no placement satisfies
the policy, 2 for a wrong call or setting.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from domicile_common.catalogue import load_catalogue
from domicile_common.errors import DomicileError, RequestError
from domicile_common.sovereignty import FEATURES, Ranking
from domicile_discovery import comparing
from domicile_discovery.metadata import MetadataApi, Refused, Sources
from domicile_discovery.places import Question, RankQuestion, ranked

Parser = argparse.ArgumentParser
Run = Callable[[argparse.Namespace, Sources], Awaitable[Any]]


class WrongCallError(Exception):
    """The person who called has to call again, differently."""


def build_parser() -> Parser:
    parser = Parser(prog="python -m domicile_discovery.cli", description="Where may data live, and what would have to move?")
    subjects = parser.add_subparsers(required=True, metavar="subject")
    _add_sovereignty(subjects)
    _add_snapshots(subjects)
    return parser


def _actions(subjects: Any, name: str, text: str) -> Any:
    return subjects.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="action")


def _add(actions: Any, name: str, text: str, run: Run, *positional: str) -> Parser:
    parser: Parser = actions.add_parser(name, help=text, description=text)
    for argument in positional:
        parser.add_argument(argument)
    parser.set_defaults(run=run, among="catalogue")
    return parser


def _add_question(parser: Parser) -> None:
    parser.add_argument("policy", help="a policy level: JSON, or @file")
    parser.add_argument(
        "--feature", action="append", choices=FEATURES, default=[], help="what every place must have; may be repeated"
    )


def _add_sovereignty(subjects: Any) -> None:
    actions = _actions(subjects, "sovereignty", "Which places satisfy a policy.")
    check = _add(actions, "check", "Rank placements, and say of each place why it is in or out.", _check)
    _add_question(check)
    check.add_argument(
        "--among", choices=("catalogue", "backends"), default="catalogue", help="all places that are known (default), or yours"
    )
    check.add_argument("--limit", type=int, default=20, help="how many placements to show at most (20)")
    _add(actions, "catalogue", "Show the catalogue of providers.", _catalogue)


def _add_snapshots(subjects: Any) -> None:
    actions = _actions(subjects, "snapshots", "What was kept of S3 accounts.")
    _add(actions, "list", "List snapshots, the newest first.", lambda _, there: _get(there, "/proxy/snapshots?limit=1000"))
    _add(actions, "show", "Show one.", lambda it, there: _get(there, f"/proxy/snapshots/{_id(it.snapshot)}"), "snapshot")
    diff = _add(actions, "diff", "Compare two.", _diff, "before", "after")
    diff.add_argument("--limit", type=int, default=1000, help="how many differences to show at most (1000); all are counted")
    plan = _add(actions, "plan", "What would have to move under a policy.", _plan, "snapshot")
    _add_question(plan)
    plan.add_argument(
        "--among",
        choices=("catalogue", "backends"),
        default="backends",
        help="where it may go: to your backends (default), or anywhere",
    )
    _add(actions, "export", "Write one to a file, as .ndjson.gz.", _export, "snapshot", "file")
    _add(actions, "delete", "Delete one.", _delete, "snapshot")


def _id(text: str) -> str:
    if len(text) != len("0" * 32) or not text.isalnum() or not text.isascii():
        raise WrongCallError("a snapshot's id is 32 hex digits")
    return text


def _document(argument: str) -> msgspec.Raw:
    """The argument itself, or the file that it names after ``@``."""
    try:
        return msgspec.Raw(Path(argument[1:]).read_bytes() if argument.startswith("@") else argument.encode())
    except OSError as error:
        raise WrongCallError(f"{argument[1:]}: {error.strerror}") from error


async def _check(it: argparse.Namespace, there: Sources) -> Any:
    question = RankQuestion(policy=_document(it.policy), features=tuple(it.feature), among=it.among, limit=it.limit)
    ranking = await ranked(there, question)
    if ranking.refusal is not None:
        sys.stderr.write(f"{ranking.refusal}\n")
    return ranking


async def _catalogue(_it: argparse.Namespace, there: Sources) -> Any:
    return there.catalogue


async def _get(there: Sources, path: str) -> Any:
    return await there.metadata.call("GET", path, there.shown, dict)


async def _diff(it: argparse.Namespace, there: Sources) -> Any:
    return await comparing.compare(there, _id(it.before), _id(it.after), it.limit)


async def _plan(it: argparse.Namespace, there: Sources) -> Any:
    question = Question(policy=_document(it.policy), features=tuple(it.feature), among=it.among)
    plan, truncated = await comparing.plan_moves(there, _id(it.snapshot), question)
    return {"plan": plan, "truncated": truncated}


async def _export(it: argparse.Namespace, there: Sources) -> Any:
    path = f"/proxy/snapshots/{_id(it.snapshot)}/export"
    async with there.metadata.stream("GET", path, there.shown) as response:
        if response.is_error:
            raise Refused(response.status_code, await response.aread())
        chunks = [chunk async for chunk in response.aiter_raw()]
    size = await asyncio.to_thread(Path(it.file).write_bytes, b"".join(chunks))  # a snapshot is bounded
    return {"file": it.file, "bytes": size}


async def _delete(it: argparse.Namespace, there: Sources) -> Any:
    return await there.metadata.call("DELETE", f"/proxy/snapshots/{_id(it.snapshot)}", there.shown, dict)


async def _run(it: argparse.Namespace) -> Any:
    needed = it.run not in (_check, _catalogue) or it.among == "backends"
    missing = [name for name in ("DOMICILE_METADATA_URL", "ADMIN_API_KEY") if not os.environ.get(name)]
    if needed and missing:
        raise WrongCallError(f"{' and '.join(missing)} must be set")
    metadata = MetadataApi(os.environ.get("DOMICILE_METADATA_URL", ""))
    try:
        return await it.run(it, Sources(load_catalogue(), metadata, {"x-admin-key": os.environ.get("ADMIN_API_KEY", "")}))
    finally:
        await metadata.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        answer = asyncio.run(_run(parsed))
    except WrongCallError as wrong:
        sys.stderr.write(f"cli: {wrong}\n")
        return 2
    except Refused as refused:
        sys.stderr.write(f"{refused.document.decode('utf-8', 'replace')}\n")
        return 1
    except DomicileError as error:
        sys.stderr.write(f"{error.message if isinstance(error, RequestError) else error}\n")
        return 1
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
    return 1 if isinstance(answer, Ranking) and answer.refusal is not None else 0


if __name__ == "__main__":
    sys.exit(main())
