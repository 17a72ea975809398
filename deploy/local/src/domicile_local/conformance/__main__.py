"""``make conformance S3TESTS=<checkout of ceph/s3-tests>``: its core tests against a suite of their own, compared with those that passed before.

Ends with 1 when one of them does not pass any more, with 2 when they could not be run.
"""

from __future__ import annotations

import argparse
import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import boto3
import msgspec

from domicile_local.conformance.compare import Outcome, compare, passed, table
from domicile_local.errors import SuiteError
from domicile_local.launcher import TENANTS, running
from domicile_local.servers import ports
from domicile_local.settings import Settings, parse
from domicile_local.state import is_running

# It looks at all buckets of its tenant, so no other test may run beside it, nor have left any.
ALONE = "test_list_buckets_paginated"
FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
TEST_SECONDS = 120
PORTS_NEEDED = 80  # by a suite
PASSED_THROUGH = ("BACKENDS",)  # what a run may be told of the suite that it starts


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("checkout", type=Path, help="of ceph/s3-tests")
    parser.add_argument("python", type=Path, help="a Python that has what the checkout imports")
    parser.add_argument("passing", type=Path, help="the names of the tests that passed before")
    parser.add_argument("--accept", action="store_true", help="write the tests that pass now into that list")
    parser.add_argument("-k", default="", metavar="WORDS", help="only tests that these words select, as of pytest")
    arguments = parser.parse_args()
    if not (arguments.checkout / FILES[0]).is_file():
        parser.error(f"{arguments.checkout} is no checkout of ceph/s3-tests")
    try:
        outcomes = conformance(arguments.checkout, arguments.python.absolute(), arguments.k)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 2
    return report(outcomes, arguments.passing, accept=arguments.accept, partly=bool(arguments.k))


def conformance(checkout: Path, python: Path, words: str) -> dict[str, Outcome]:
    """Runs the tests against a suite that is there for them alone. Raises SuiteError."""
    settings = private_settings(os.environ, Path.cwd())
    folder = settings.state
    if is_running(folder):
        raise SuiteError(f"A run is under way on {folder}.")
    shutil.rmtree(folder, ignore_errors=True)
    with running(settings, print) as launcher:
        configuration = folder / "s3tests.conf"
        write_configuration(configuration, launcher.run_env)
        others = f"not {ALONE}" + (f" and ({words})" if words else "")
        suite = Suite(checkout, python, configuration)
        return suite.run("alone", ["-k", f"{ALONE} and ({words or ALONE})"]) | suite.run("together", ["-n", "2", "-k", others])


def private_settings(environment: Mapping[str, str], folder: Path) -> Settings:
    """Nothing that a person has set for another suite but the kind of backend; bucket names are unique over all tenants, as in S3."""
    base = folder / environment.get("DOMICILE_STATE", ".domicile")
    chosen = {name: environment[name] for name in PASSED_THROUGH if environment.get(name)}
    first = str(ports.take(PORTS_NEEDED))
    return parse(
        {**chosen, "DOMICILE_STATE": str(base / "conformance"), "DOMICILE_PORT": first, "BUCKET_NAMES": "global"}, folder
    )


class Suite:
    """A checkout, the Python to run it with, and the file that tells it of the server."""

    def __init__(self, checkout: Path, python: Path, configuration: Path) -> None:
        self._checkout = checkout
        self._python = python
        self._configuration = configuration

    def run(self, name: str, options: Sequence[str]) -> dict[str, Outcome]:
        """Raises SuiteError when nothing was recorded."""
        folder = self._configuration.parent
        outcomes, log = folder / f"{name}.json", folder / f"{name}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3TEST_CONF": str(self._configuration),
            "S3TESTS_OUTCOMES": str(outcomes),
        }
        options = ["-p", "s3tests_plugin", "-p", "no:cacheprovider", "-q", f"--timeout={TEST_SECONDS}", "--tb=short", *options]
        print(f"Running the tests ({name}); pytest writes to {log}", flush=True)
        with log.open("wb") as output:
            command = [str(self._python), "-m", "pytest", *options, *FILES]
            subprocess.run(command, cwd=self._checkout, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
        if not outcomes.exists():
            raise SuiteError(f"pytest recorded nothing; see {log}")
        return msgspec.json.decode(outcomes.read_bytes(), type=dict[str, Outcome])


def write_configuration(path: Path, run_env: Mapping[str, str]) -> None:
    """What s3tests.conf.SAMPLE of the checkout explains. Its third tenant and its IAM users are our second and first one."""
    endpoint, _, port = run_env["DOMICILE_S3_ENDPOINT"].removeprefix("http://").partition(":")
    users = {tenant: _user(run_env, prefix) for tenant, prefix in TENANTS.items()}
    main, alt = users["demo"], users["alt"]
    config = configparser.RawConfigParser()
    config.read_dict(
        {
            "DEFAULT": {"host": endpoint, "port": port, "is_secure": "False", "ssl_verify": "False"},
            "fixtures": {"bucket prefix": "s3t-{random}-"},
            "s3 main": {**main, "api_name": "EU"},
            "s3 alt": alt,
            "s3 tenant": {**alt, "tenant": "alt"},
            **dict.fromkeys(("iam", "iam root"), main),
            "iam alt root": alt,
        }
    )
    with path.open("w", encoding="utf-8") as file:
        config.write(file)


def _user(run_env: Mapping[str, str], prefix: str) -> dict[str, str]:
    """A tenant's keys, and its canonical id and name as the server shows them."""
    access, secret = run_env[f"{prefix}_ACCESS_KEY"], run_env[f"{prefix}_SECRET_KEY"]
    session = boto3.Session(access, secret, region_name="us-east-1")
    owner = session.client("s3", endpoint_url=run_env["DOMICILE_S3_ENDPOINT"]).list_buckets()["Owner"]
    known = {"access_key": access, "secret_key": secret, "user_id": owner["ID"], "display_name": owner["DisplayName"]}
    return {**known, "email": f"{owner['DisplayName']}@example.com"}


def report(outcomes: Mapping[str, Outcome], passing: Path, *, accept: bool, partly: bool) -> int:
    before = set(passing.read_text(encoding="utf-8").split()) if passing.exists() else set()
    if partly:
        before &= outcomes.keys()
    change = compare(outcomes, before)
    print(table(outcomes), end="\n\n")
    for test in change.gained:
        print(f"passes now {test}")
    for test in change.lost:
        print(f"REGRESSED {test}: {outcomes[test].message if test in outcomes else 'was not run'}")
    if accept and not partly:
        passing.write_text("".join(f"{test}\n" for test in sorted(passed(outcomes))), encoding="utf-8")
        return 0
    return 1 if change.lost else 0


if __name__ == "__main__":
    sys.exit(main())
