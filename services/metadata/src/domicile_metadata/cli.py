"""The operator's command line: ``python -m domicile_metadata.cli <subject> <action> ...``, a client of the admin API.

It takes DOMICILE_METADATA_URL and ADMIN_API_KEY as the services take their settings, and prints the API's JSON. Exit status: 0, 1 when the API
refused (its words are on stderr), 2 for a wrong call or setting. Secrets are read from standard input, never from arguments, which anybody on
the machine can see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from domicile_common.certificates import NotGenuineError, verify
from domicile_common.errors import ConfigurationError
from domicile_common.settings import Block, HttpUrl, load

FOLLOW_SECONDS = 2.0
TIMEOUT_SECONDS = 600.0  # a preview counts every version
_OBJECT = ("tenant", "bucket", "key")
_STATES = ("active", "readonly", "draining", "disabled", "lost")

Parser = argparse.ArgumentParser


class CliSettings(Block):
    metadata_url: HttpUrl = Field(validation_alias="DOMICILE_METADATA_URL", description="Where the admin API answers.")
    admin_api_key: SecretStr = Field(description="What the admin API asks for.")


class WrongCallError(Exception):
    """The person who called has to call again, differently."""


class Call:
    """What one invocation asks of the API."""

    def __init__(
        self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None, follow: bool = False
    ) -> None:
        """``follow``: a task is asked for again and again."""
        self.follow = follow
        self.method = method
        self.path = f"/proxy{path}"
        self.body = body
        self.query = {name: value for name, value in (query or {}).items() if value is not None}


Make = Callable[[argparse.Namespace], Call]


def _given(**fields: Any) -> dict[str, Any]:
    """Only what was said: the API has the defaults."""
    return {name: value for name, value in fields.items() if value is not None}


def _segment(text: str) -> str:
    return quote(text, safe="")


def _read_line() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise WrongCallError("the secret is expected as a line on standard input")
    return line


def build_parser() -> Parser:
    parser = Parser(prog="python -m domicile_metadata.cli", description="Manage an installation of Domicile.")
    subjects = parser.add_subparsers(required=True, metavar="subject")
    for add in (
        _add_tenants,
        _add_credentials,
        _add_backends,
        _add_policies,
        _add_placement,
        _add_jobs,
        _add_erasures,
        _add_tasks,
        _add_findings,
        _add_secrets,
    ):
        add(subjects)
    return parser


class _Actions:
    """The actions of one subject."""

    def __init__(self, subjects: Any, name: str, text: str) -> None:
        self._actions = subjects.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="action")

    def add(self, name: str, text: str, make: Make, *positional: str) -> Parser:
        parser: Parser = self._actions.add_parser(name, help=text, description=text)
        for argument in positional:
            parser.add_argument(argument)
        parser.set_defaults(make=make)
        return parser


def _add_page(parser: Parser) -> None:
    parser.add_argument("--after", help="show what comes behind this one")
    parser.add_argument("--limit", type=int, help="how many to show at most (100)")


def _add_tenants(subjects: Any) -> None:
    actions = _Actions(subjects, "tenants", "Customers of this installation.")
    create = actions.add(
        "create", "Make a tenant.", lambda it: Call("POST", "/tenants", body=_given(tenant_id=it.tenant, name=it.name)), "tenant"
    )
    create.add_argument("--name", help="a name for people")
    _add_page(
        actions.add("list", "List tenants.", lambda it: Call("GET", "/tenants", query={"after": it.after, "limit": it.limit}))
    )
    actions.add("show", "Show a tenant.", lambda it: Call("GET", f"/tenants/{_segment(it.tenant)}"), "tenant")
    for name, state in (("disable", "disabled"), ("enable", "active")):
        text = f"Make a tenant {state}."
        actions.add(name, text, _state_of("tenants", "tenant", state), "tenant")


def _state_of(subject: str, argument: str, state: str) -> Make:
    return lambda it: Call("PATCH", f"/{subject}/{_segment(getattr(it, argument))}", body={"state": state})


def _add_credentials(subjects: Any) -> None:
    actions = _Actions(subjects, "credentials", "Access keys of tenants.")
    create = actions.add("create", "Make an access key; its secret is shown once.", _create_credential, "tenant")
    create.add_argument("--access", choices=("full", "read"), help="what the key may do (full)")
    create.add_argument("--expires-in", type=int, metavar="SECONDS", help="when the key ends (never)")
    create.add_argument("--access-key", help="register this key; its secret is read from standard input")
    listing = actions.add("list", "List access keys.", _list_credentials)
    listing.add_argument("--tenant", help="of this tenant only")
    _add_page(listing)
    for name, state in (("disable", "disabled"), ("enable", "active")):
        actions.add(name, f"Make an access key {state}.", _state_of("credentials", "access_key", state), "access_key")
    rotate = actions.add(
        "rotate", "Make a new key for the same tenant and let this one run out.", _rotate_credential, "access_key"
    )
    rotate.add_argument("--overlap", type=int, metavar="SECONDS", help="how long the old key works on (86400)")


def _create_credential(it: argparse.Namespace) -> Call:
    secret = _read_line() if it.access_key else None
    body = _given(
        tenant_id=it.tenant, access=it.access, expires_in_seconds=it.expires_in, access_key=it.access_key, secret_key=secret
    )
    return Call("POST", "/credentials", body=body)


def _list_credentials(it: argparse.Namespace) -> Call:
    return Call("GET", "/credentials", query={"tenant": it.tenant, "after": it.after, "limit": it.limit})


def _rotate_credential(it: argparse.Namespace) -> Call:
    return Call("POST", f"/credentials/{_segment(it.access_key)}/rotate", body=_given(overlap_seconds=it.overlap))


def _add_backends(subjects: Any) -> None:
    actions = _Actions(subjects, "backends", "S3 endpoints where objects are kept.")
    actions.add("list", "List backends.", lambda _: Call("GET", "/backends"))
    actions.add("show", "Show a backend.", lambda it: Call("GET", f"/backends/{_segment(it.backend)}"), "backend")
    put = actions.add("put", "Register or change a backend.", _put_backend, "backend")
    for name, text in (
        ("provider", "slug of who runs it"),
        ("endpoint", "its address, http:// or https://"),
        ("country", "ISO 3166-1 alpha-2 code of the site"),
        ("access-key", "access key at the backend"),
    ):
        put.add_argument(f"--{name}", required=True, help=text)
    put.add_argument("--jurisdiction", action="append", required=True, help="a law that its operator answers to; may be repeated")
    put.add_argument(
        "--keep-secret", action="store_true", help="keep the known secret instead of reading one from standard input"
    )
    put.add_argument("--region", help="SigV4 region (us-east-1)")
    put.add_argument("--addressing", choices=("path", "virtual"), help="where the bucket name stands (path)")
    put.add_argument("--quirks", help="whose software it is (generic)")
    put.add_argument("--cost", type=int, help="reads prefer the lowest (100)")
    state = actions.add("state", "Take a backend out of use, or into it again.", _set_backend_state, "backend")
    state.add_argument("state", choices=_STATES)
    for name, paused in (("pause", True), ("resume", False)):
        actions.add(name, f"{name.capitalize()} replication to a backend.", _pause(paused), "backend")
    limit = actions.add(
        "limit", "Limit what all replicators together do at a backend; 0 ends a limit.", _limit_backend, "backend"
    )
    limit.add_argument("--jobs", type=int, help="how many at a time")
    limit.add_argument("--bytes-per-second", type=int, help="sent and read")
    limit.add_argument("--requests-per-second", type=float)


def _pause(paused: bool) -> Make:  # noqa: FBT001 - both are given by name above
    return lambda it: Call("PATCH", f"/backends/{_segment(it.backend)}", body={"paused": paused})


def _limit_backend(it: argparse.Namespace) -> Call:
    limits = _given(job_limit=it.jobs, bytes_per_second=it.bytes_per_second, requests_per_second=it.requests_per_second)
    return Call("PATCH", f"/backends/{_segment(it.backend)}", body={name: value or None for name, value in limits.items()})


def _put_backend(it: argparse.Namespace) -> Call:
    body = _given(
        provider=it.provider,
        endpoint=it.endpoint,
        country=it.country,
        jurisdictions=it.jurisdiction,
        access_key=it.access_key,
        secret_key=None if it.keep_secret else _read_line(),
        region=it.region,
        addressing=it.addressing,
        quirks=it.quirks,
        cost=it.cost,
    )
    return Call("PUT", f"/backends/{_segment(it.backend)}", body=body)


def _set_backend_state(it: argparse.Namespace) -> Call:
    return Call("PATCH", f"/backends/{_segment(it.backend)}", body={"state": it.state})


def _add_policies(subjects: Any) -> None:
    actions = _Actions(subjects, "policies", "Where data may live, and in how many copies.")
    show = actions.add("show", "Show a level and what it amounts to.", lambda it: Call("GET", _policy_path(it)))
    put = actions.add("set", "Set a level.", lambda it: Call("PUT", _policy_path(it), body=_document(it.document)), "document")
    for parser in (show, put):
        parser.add_argument("--tenant", help="this tenant's level (the installation default)")
        parser.add_argument("--bucket", help="the level of this bucket of the tenant")


def _policy_path(it: argparse.Namespace) -> str:
    if it.bucket is not None:
        if it.tenant is None:
            raise WrongCallError("--bucket needs --tenant")
        return f"/policies/buckets/{_segment(it.tenant)}/{_segment(it.bucket)}"
    return "/policies/default" if it.tenant is None else f"/policies/tenants/{_segment(it.tenant)}"


def _document(argument: str) -> Any:
    """The argument itself, or the file that it names after ``@``."""
    try:
        return json.loads(Path(argument[1:]).read_text("utf-8") if argument.startswith("@") else argument)
    except OSError as error:
        raise WrongCallError(f"{argument[1:]}: {error.strerror}") from error
    except ValueError as error:
        raise WrongCallError(f"the document is not JSON: {error}") from error


def _add_placement(subjects: Any) -> None:
    names = _Actions(subjects, "namespaces", "Physical bucket names.")
    explain = names.add("explain", "Explain a name, from the tenant's side or the provider's.", _explain)
    for name in ("tenant", "bucket", "backend", "namespace"):
        explain.add_argument(f"--{name}")
    actions = _Actions(subjects, "placement", "Where objects are.")
    actions.add("show", "Show the replicas of an object.", _show_placement, *_OBJECT)
    wait = actions.add(
        "wait", "Wait until an object has so many verified copies; exit status 1 when it has not in time.", _wait, *_OBJECT
    )
    wait.add_argument("--version", help="this one (the current one)")
    wait.add_argument("--copies", help="how many copies")
    wait.add_argument("--countries", help="in how many countries, or in which ones: FI,DE")
    wait.add_argument("--timeout", help="for how many seconds (30)")
    preview = actions.add("preview", "Show what a change would have moved; nothing is changed.", _preview)
    preview.add_argument("--policy", help="the level as it would be: JSON, or @file")
    preview.add_argument("--backend", help="this backend in another state")
    preview.add_argument("--state", choices=_STATES)
    preview.add_argument("--bytes-per-second", type=float, help="what a backend is assumed to take or give (50e6)")
    preview.add_argument("--copies-per-second", type=float, help="how many copies it is assumed to take or give (50)")
    progress = actions.add("progress", "Show how far changes have got, and what cannot be satisfied.", _show_progress)
    progress.add_argument("--all", action="store_const", const="yes", help="also what is finished")
    progress.add_argument("--limit", type=int, help="how many buckets to show at most (100)")
    compare = actions.add("compare", "Compare all versions with their policies once more.", _compare)
    for parser in (preview, progress, compare):
        parser.add_argument("--tenant", help="this tenant only, or its level (everybody, the installation's)")
        parser.add_argument("--bucket", help="this bucket of the tenant only, or its level")


def _preview(it: argparse.Namespace) -> Call:
    body = _given(
        tenant=it.tenant,
        bucket=it.bucket,
        policy=None if it.policy is None else _document(it.policy),
        backend=it.backend,
        state=it.state,
        bytes_per_second=it.bytes_per_second,
        copies_per_second=it.copies_per_second,
    )
    return Call("POST", "/placement/preview", body=body)


def _show_progress(it: argparse.Namespace) -> Call:
    return Call("GET", "/placement/progress", query={"tenant": it.tenant, "bucket": it.bucket, "all": it.all, "limit": it.limit})


def _compare(it: argparse.Namespace) -> Call:
    return Call("POST", "/placement/compare", body=_given(tenant=it.tenant, bucket=it.bucket))


def _explain(it: argparse.Namespace) -> Call:
    query = {"tenant": it.tenant, "bucket": it.bucket, "backend": it.backend, "namespace": it.namespace}
    return Call("GET", "/namespaces/explain", query=query)


def _show_placement(it: argparse.Namespace) -> Call:
    return Call("GET", "/placement", query={"tenant": it.tenant, "bucket": it.bucket, "key": it.key})


def _wait(it: argparse.Namespace) -> Call:
    asked = {"version": it.version, "copies": it.copies, "countries": it.countries, "timeout": it.timeout}
    return Call("GET", "/wait", query={"tenant": it.tenant, "bucket": it.bucket, "key": it.key, **asked})


def _add_jobs(subjects: Any) -> None:
    actions = _Actions(subjects, "jobs", "Replication work that is owed.")
    listing = actions.add("list", "Show what is owed or parked, oldest first.", _list_jobs)
    listing.add_argument("--state", choices=("owed", "parked", "all"))
    _add_page(listing)
    actions.add("show", "Show a job and why it failed.", _show_job, "bucket_id", "version_id", "backend")
    replay = actions.add("replay", "Try parked work again.", lambda it: Call("POST", "/jobs/replay", body=_which_jobs(it)))
    drop = actions.add("drop", "Give parked work up for good.", _drop_jobs)
    drop.add_argument("--reason", required=True, help="noted for ever")
    for parser in (listing, replay, drop):
        parser.add_argument("--backend", help="at this backend only")
        parser.add_argument("--tenant", help="of this tenant only")
        parser.add_argument("--bucket", help="of this bucket of the tenant only")
        parser.add_argument("--action", choices=("copy", "remove", "stamp"))
        parser.add_argument("--error-class", help="whose last failure was of this class")
        parser.add_argument("--bucket-id", help="as listed")
        parser.add_argument("--version-id", help="as listed")
    drops = actions.add("drops", "Show what was given up for good, latest first.", _list_drops)
    drops.add_argument("--tenant")
    drops.add_argument("--bucket")
    _add_page(drops)
    lag = actions.add("lag", "Show how far copies are behind, and whether promises are kept.", _show_lag)
    lag.add_argument("--tenant", help="buckets of this tenant only")
    lag.add_argument("--bucket", help="this bucket of the tenant, also when nothing is owed")
    lag.add_argument("--limit", type=int, help="how many buckets to show at most (100)")


def _show_lag(it: argparse.Namespace) -> Call:
    return Call("GET", "/lag", query={"tenant": it.tenant, "bucket": it.bucket, "limit": it.limit})


def _which_jobs(it: argparse.Namespace) -> dict[str, Any]:
    names = ("tenant", "bucket", "action", "error_class", "bucket_id", "version_id")
    return _given(backend_id=it.backend, **{name: getattr(it, name) for name in names})


def _list_jobs(it: argparse.Namespace) -> Call:
    return Call("GET", "/jobs", query={"state": it.state, "after": it.after, "limit": it.limit, **_which_jobs(it)})


def _show_job(it: argparse.Namespace) -> Call:
    return Call("GET", f"/jobs/{_segment(it.bucket_id)}/{_segment(it.version_id)}/{_segment(it.backend)}")


def _drop_jobs(it: argparse.Namespace) -> Call:
    return Call("POST", "/jobs/drop", body={"reason": it.reason, **_which_jobs(it)})


def _list_drops(it: argparse.Namespace) -> Call:
    return Call("GET", "/jobs/drops", query={"tenant": it.tenant, "bucket": it.bucket, "after": it.after, "limit": it.limit})


def _add_tasks(subjects: Any) -> None:
    actions = _Actions(subjects, "tasks", "Long work at the backends.")
    listing = actions.add("list", "List tasks, newest first.", _list_tasks)
    listing.add_argument("--kind")
    listing.add_argument("--state", choices=("waiting", "running", "paused", "done", "failed", "cancelled"))
    _add_page(listing)
    actions.add("show", "Show a task and how far it has got.", lambda it: Call("GET", f"/tasks/{_segment(it.task)}"), "task")
    text = "Show how far a task gets, until it has ended or rests."
    actions.add("watch", text, lambda it: Call("GET", f"/tasks/{_segment(it.task)}", follow=True), "task")
    findings = actions.add("findings", "Show what a task has to say about single objects.", _list_findings, "task")
    _add_page(findings)
    for name, text in (
        ("pause", "Let a task rest."),
        ("resume", "Let a task that was paused or has failed go on."),
        ("cancel", "End a task for good."),
    ):
        actions.add(name, text, _change_task(name), "task")
    scrub = actions.add("scrub", "Compare what a backend holds with the record, and repair.", _start_scrub, "backend")
    scrub.add_argument("--deep", action="store_const", const="deep", help="read all bytes, instead of listing")
    scrub.add_argument("--tenant", help="this tenant's buckets only")
    scrub.add_argument("--bucket", help="this bucket of the tenant only")
    scrub.add_argument("--foreign", choices=("remove", "report"), help="what was never Domicile's (remove)")
    scrub.add_argument("--unknown", choices=("remove", "report"), help="versions of which the record never heard (report)")
    scrub.add_argument("--older-than", type=float, metavar="SECONDS", help="with --deep: what was not verified for so long (0)")
    scrub.add_argument("--bytes-per-second", type=float, help="how fast to read at most (50e6)")
    scrub.add_argument("--requests-per-second", type=float, help="how often to ask at most (50)")
    start = actions.add("start", "Begin a task.", _start_task, "kind")
    start.add_argument("parameters", nargs="?", default="{}", help="of its kind: JSON, or @file")


def _list_tasks(it: argparse.Namespace) -> Call:
    return Call("GET", "/tasks", query={"kind": it.kind, "state": it.state, "after": it.after, "limit": it.limit})


def _list_findings(it: argparse.Namespace) -> Call:
    return Call("GET", f"/tasks/{_segment(it.task)}/findings", query={"after": it.after, "limit": it.limit})


def _change_task(action: str) -> Make:
    return lambda it: Call("PATCH", f"/tasks/{_segment(it.task)}", body={"action": action})


def _start_scrub(it: argparse.Namespace) -> Call:
    parameters = _given(
        backend_id=it.backend,
        depth=it.deep,
        tenant=it.tenant,
        bucket=it.bucket,
        foreign=it.foreign,
        unknown=it.unknown,
        older_than=it.older_than,
        bytes_per_second=it.bytes_per_second,
        requests_per_second=it.requests_per_second,
    )
    return Call("POST", "/tasks", body={"kind": "scrub", "parameters": parameters})


def _add_findings(subjects: Any) -> None:
    actions = _Actions(subjects, "findings", "What scrubs have found.")
    listing = actions.add("list", "List what is not over yet, newest first.", _list_found)
    listing.add_argument("--all", action="store_const", const="yes", help="also what is over")
    listing.add_argument("--backend", help="at this backend only")
    listing.add_argument("--kind", help="of this kind only")
    _add_page(listing)


def _list_found(it: argparse.Namespace) -> Call:
    query = {"all": it.all, "backend": it.backend, "kind": it.kind, "after": it.after, "limit": it.limit}
    return Call("GET", "/findings", query=query)


def _start_task(it: argparse.Namespace) -> Call:
    return Call("POST", "/tasks", body={"kind": it.kind, "parameters": _document(it.parameters)})


def _add_erasures(subjects: Any) -> None:
    actions = _Actions(subjects, "erasures", "Certificates of erasure.")
    certify = actions.add("certify", "State what of a tenant, a bucket, a key or a prefix is gone, signed.", _certify, "tenant")
    certify.add_argument("--bucket")
    certify.add_argument("--key")
    certify.add_argument("--prefix")
    certify.add_argument("--hash-keys", action="store_true", default=None, help="keys stand there as their SHA-256")
    certify.add_argument("--after", type=int, help="what the certificate before ends with")
    certify.add_argument("--limit", type=int, help="how many removals to state at most (10000)")
    actions.add("key", "Show the public key that certificates are verified with.", lambda _: Call("GET", "/erasures/key"))
    verifying = actions.add("verify", "Verify a certificate; asks nobody.", _nothing, "file", "public_key")
    verifying.set_defaults(alone=_verify_certificate)


def _certify(it: argparse.Namespace) -> Call:
    names = ("tenant", "bucket", "key", "prefix", "hash_keys", "after", "limit")
    return Call("POST", "/erasures", body=_given(**{name: getattr(it, name) for name in names}))


def _nothing(_: argparse.Namespace) -> Call:
    raise WrongCallError("this needs no installation")


def _verify_certificate(it: argparse.Namespace) -> int:
    try:
        certificate = verify(json.loads(Path(it.file).read_text("utf-8")), it.public_key)
    except (OSError, ValueError) as error:
        raise WrongCallError(f"{it.file}: {error}") from error
    except NotGenuineError as error:
        sys.stderr.write(f"not genuine: {error}\n")
        return 1
    sys.stdout.write(json.dumps(certificate, indent=2, ensure_ascii=False) + "\n")
    return 0


def _add_secrets(subjects: Any) -> None:
    actions = _Actions(subjects, "secrets", "Sealed secrets in the record.")
    actions.add("reseal", "Seal everything with the current passphrase.", lambda _: Call("POST", "/secrets/reseal"))


def send(client: httpx.Client, call: Call, output: TextIO, errors: TextIO) -> int:
    """Prints what the API answers; the exit status."""
    try:
        response = client.request(call.method, call.path, json=call.body, params=call.query)
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        errors.write(f"cli: no answer of the admin API from {client.base_url}: {error or type(error).__name__}\n")
        return 1
    refusal = answer.get("error") if isinstance(answer, dict) else {}
    if response.is_error and refusal is not None:
        errors.write(f"{refusal.get('code', response.status_code)}: {refusal.get('message', response.reason_phrase)}\n")
        return 1
    output.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    return int(response.is_error)  # what was waited for has not come about


def _alone(parsed: argparse.Namespace) -> int:
    try:
        status: int = parsed.alone(parsed)
    except WrongCallError as wrong:
        sys.stderr.write(f"cli: {wrong}\n")
        return 2
    return status


def follow(client: httpx.Client, call: Call, output: TextIO, errors: TextIO) -> int:
    """Shows how far a task has got, until it has ended or rests; 0 when it is done."""
    while (task := _task(client, call)).get("state") in {"waiting", "running"}:
        counts = "  ".join(f"{name} {count:,}" for name, count in task["progress"].items())
        errors.write(f"{task['state']}  {counts}\n")
        time.sleep(FOLLOW_SECONDS)
    status = send(client, call, output, errors)
    return status or int(task.get("state") != "done")


def _task(client: httpx.Client, call: Call) -> dict[str, Any]:
    """Empty when there is no answer, which ``send`` then says."""
    try:
        answer: dict[str, Any] = client.request(call.method, call.path).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    if "alone" in parsed:
        return _alone(parsed)
    try:
        settings = load(CliSettings)
        call = parsed.make(parsed)
    except (ConfigurationError, WrongCallError) as wrong:
        sys.stderr.write(f"cli: {wrong}\n")
        return 2
    headers = {"X-Admin-Key": settings.admin_api_key.get_secret_value()}
    with httpx.Client(base_url=settings.metadata_url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        return (follow if call.follow else send)(client, call, sys.stdout, sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
