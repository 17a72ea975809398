"""``make bench``: straight to a backend, through the proxy, and through a peer, alternating in one run, as a table of ratios.

Figures of different runs or machines do not compare; ratios within one run do. Nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import signal
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import Load, Method, Target, get_stream, paced_puts, put_stream, wrk
from benchmarks.processes import Cost, forget_peak, peak_mib

from domicile_local.demo import TENANT
from domicile_local.launcher import Launcher, running
from domicile_local.layout import Layout
from domicile_local.servers import ports, postgres
from domicile_local.settings import Settings

KIB, MIB, GIB = 1024, 1024**2, 1024**3
SPENDERS = ("proxy", "metadata", "replicator", "PostgreSQL", "RabbitMQ", "backends", "rclone", "client")
IDLE_SECONDS = 600.0
LAG = """
SELECT extract(epoch FROM replica.changed_at - version.committed_at)::float8
  FROM replicas replica JOIN versions version USING (bucket_id, version_id)
 WHERE replica.state = 'verified' AND convert_from(version.key, 'UTF8') LIKE '{keys}-%'
   AND version.bucket_id = (SELECT bucket_id FROM buckets WHERE tenant_id = '{tenant}' AND name = '{bucket}')
   AND NOT version.decision->'write' ? replica.backend_id
 ORDER BY 1"""


@dataclass(frozen=True)
class Case:
    name: str
    method: Method
    size: int
    clients: int
    prefix: str
    count: int

    def keys(self, round_number: int) -> tuple[str, ...]:
        """Each round of PUTs has its own, or later ones would pay for the removal of what they replace."""
        prefix = f"{self.prefix}-{round_number}" if self.method == "PUT" else self.prefix
        return tuple(f"{prefix}-{number}" for number in range(self.count))


CASES = (
    Case("GET 1 KiB", "GET", KIB, 16, "small", 1000),
    Case("PUT 1 KiB", "PUT", KIB, 16, "put", 5000),
    Case("GET 64 MiB", "GET", 64 * MIB, 2, "large", 2),
    Case("PUT 64 MiB", "PUT", 64 * MIB, 2, "new", 4),
)


def say(text: str) -> None:
    print(text, flush=True)


class Bench:
    def __init__(self, launcher: Launcher, folder: Path, rclone: str | None, arguments: argparse.Namespace) -> None:
        self._launcher = launcher
        self._folder = folder
        self._seconds: float = arguments.seconds
        self._rounds: int = arguments.rounds
        self._pids = {part.name: part.child().pid for part in launcher.parts() if part.child}
        env = launcher.run_env
        self._direct = Target(
            "straight",
            env["DOMICILE_BACKEND_FI_ENDPOINT"],
            env["DOMICILE_BACKEND_FI_ACCESS_KEY"],
            env["DOMICILE_BACKEND_FI_SECRET_KEY"],
        )
        self._proxy = Target("proxy", env["DOMICILE_S3_ENDPOINT"], env["DOMICILE_ACCESS_KEY"], env["DOMICILE_SECRET_KEY"])
        self._policies = {  # of the buckets that are not under the default policy
            replace(self._proxy, name="opaque", bucket="bench-opaque"): {"layout": "opaque"},
            replace(self._proxy, name="wide", bucket="bench-wide"): {"write_width": 2},  # to both backends at once, and needs one
        }
        self._peer = (
            Target("rclone", f"http://127.0.0.1:{ports.take()}", secrets.token_hex(8), secrets.token_hex(16)) if rclone else None
        )
        self._targets = [self._direct, self._proxy, *self._policies, *([self._peer] if self._peer else [])]
        self._rclone = rclone
        self._loads: dict[tuple[str, str], list[Load]] = defaultdict(list)
        self._costs: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)  # seconds of processor time a request

    def run(self, memory_bytes: int) -> str:
        self._prepare()
        with peer(self._rclone, self._peer, self._direct) if self._rclone and self._peer else nullcontext() as process:
            if process:
                self._pids["rclone"] = process.pid
            for case in CASES:
                for round_number in range(self._rounds):
                    for target in self._targets:
                        if case.method == "PUT" or target not in self._policies:
                            self._measure(case, target, round_number)
        self._pids.pop("rclone", None)
        say("replication lag at a steady rate")
        lags = [("16 clients, as fast as they can", self._lags("put")), self._lag()]
        say(f"memory during {memory_bytes / GIB:.0f} GiB")
        return report(self._loads, self._costs, self._rounds, lags, self._memory(memory_bytes))

    def _prepare(self) -> None:
        say("preparing")
        for target, policy in self._policies.items():
            target.client().create_bucket(Bucket=target.bucket)
            with self._launcher.suite.admin() as admin:
                admin.call("PUT", f"/policies/buckets/{TENANT}/{target.bucket}", policy)
        for target in (self._direct, self._proxy):
            s3 = target.client()
            s3.create_bucket(Bucket=target.bucket)
            for case in CASES:
                for key in case.keys(0) if case.method == "GET" else ():
                    s3.put_object(Bucket=target.bucket, Key=key, Body=bytes(case.size))
        self._settle()

    def _measure(self, case: Case, target: Target, round_number: int) -> None:
        keys, cost = case.keys(round_number), Cost(self._pids)
        load = wrk(target, case.method, keys, size=case.size, clients=case.clients, seconds=self._seconds, folder=self._folder)
        latency = f"p50 {load.p50 * 1e3:8.1f} ms  p99 {load.p99 * 1e3:8.1f} ms"
        say(f"{case.name:<12} {target.name:<9} {load.rate:9.1f}/s  {latency}  failures {load.failures}")
        self._loads[case.name, target.name].append(load)
        if case.method == "PUT" and target in (self._proxy, *self._policies):
            owed, began = self._owed(), time.monotonic()
            self._settle()  # copies are part of what a PUT costs
            say(f"{'':<12} {owed} copies owed at the end, done {time.monotonic() - began:.1f} s later")
        if not load.requests:  # not one of them ended in that time
            return
        spent = {name: seconds / load.requests for name, seconds in cost.since().items()} | {"client": load.cost / load.requests}
        spent["backends"] = sum(seconds for name, seconds in spent.items() if name.startswith("backend "))
        self._costs[case.name, target.name].append(spent)

    def _owed(self) -> int:
        with self._launcher.suite.admin() as admin:
            return sum(backlog["owed"] for backlog in admin.call("GET", "/jobs")["backlogs"])

    def _settle(self) -> None:
        deadline = time.monotonic() + IDLE_SECONDS
        while self._owed():
            if time.monotonic() > deadline:
                raise RuntimeError(f"still {self._owed()} copies owed after {IDLE_SECONDS:.0f} s")
            time.sleep(0.2)

    def _lag(self) -> tuple[str, list[float]]:
        """PUTs at a third of what the proxy took at most; returns that rate and the ordered lags in seconds."""
        rate = max(1.0, statistics.median(load.rate for load in self._loads["PUT 1 KiB", "proxy"]) / 3)
        failed = paced_puts(self._proxy, [f"paced-{number}" for number in range(int(rate * 20))], size=KIB, rate=rate)
        if failed:
            say(f"{failed} of the paced PUTs failed")
        self._settle()
        return f"{rate:.0f} PUT/s", self._lags("paced")

    def _lags(self, keys: str) -> list[float]:
        """Ordered, in seconds from the commit, of the copies that were owed for keys of this prefix."""
        lag = LAG.format(keys=keys, tenant=TENANT, bucket=self._proxy.bucket)
        rows = postgres.query(self._launcher.run_env["DATABASE_URL"], lag)
        return [float(str(row[0])) for row in rows]

    def _memory(self, size: int) -> dict[str, float]:
        """Peak resident memory of the proxy in MiB: before, and during one PUT and one GET of ``size`` bytes."""
        pid = self._pids["proxy"]
        forget_peak(pid)
        peaks = {"before": peak_mib(pid)}
        for name, transfer in (("PUT", put_stream), ("GET", get_stream)):
            forget_peak(pid)
            seconds = transfer(self._proxy, "huge", size)
            peaks[f"{name} {size / GIB:.0f} GiB"] = peak_mib(pid)
            say(f"{name} {size / GIB:.0f} GiB in {seconds:.1f} s")
        return peaks


@contextmanager
def peer(program: str, target: Target, backend: Target) -> Iterator[subprocess.Popen[bytes]]:
    """``rclone serve s3`` before the same backend."""
    remote = f":s3,provider=Other,endpoint='{backend.endpoint}',access_key_id={backend.access_key},secret_access_key={backend.secret_key}:"
    login = f"{target.access_key},{target.secret_key}"
    argv = [
        program,
        "serve",
        "s3",
        "--addr",
        target.address,
        "--auth-key",
        login,
        "--config",
        "/dev/null",
        "--vfs-cache-mode",
        "off",
        remote,
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not ports.answers(int(target.endpoint.rpartition(":")[2])):
                if process.poll() is not None:
                    raise RuntimeError("rclone serve s3 does not start")
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()


def middle(loads: Sequence[Load]) -> float:
    return float(statistics.median(load.rate for load in loads))


def report(
    loads: dict[tuple[str, str], list[Load]],
    costs: dict[tuple[str, str], list[dict[str, float]]],
    rounds: int,
    lags: Sequence[tuple[str, list[float]]],
    memory: dict[str, float],
) -> str:
    lines = [
        machine(rounds),
        "",
        "| case | straight | proxy | opaque | wide | rclone | proxy / straight | opaque / straight | wide / straight | proxy / rclone |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        names = ("straight", "proxy", "opaque", "wide", "rclone")
        rates = {name: middle(loads[case.name, name]) for name in names if loads.get((case.name, name))}
        shown = [unit(case, rates[name]) if name in rates else "-" for name in names]
        pairs = (("proxy", "straight"), ("opaque", "straight"), ("wide", "straight"), ("proxy", "rclone"))
        ratios = [f"{rates[one] / rates[other]:.2f}" if one in rates and rates.get(other) else "-" for one, other in pairs]
        lines.append(f"| {case.name}, {case.clients} clients | {' | '.join(shown)} | {' | '.join(ratios)} |")
    lines += [
        "",
        "Processor time a request, µs (a PUT's with its copy):",
        "",
        f"| case | target | {' | '.join(SPENDERS)} | all |",
        f"|---|---|{'---|' * (len(SPENDERS) + 1)}",
    ]
    for (case_name, target), measured in costs.items():
        spent = [statistics.median(each.get(part, 0.0) for each in measured) * 1e6 for part in SPENDERS]
        lines.append(f"| {case_name} | {target} | {' | '.join(f'{each:,.0f}' for each in (*spent, sum(spent)))} |")
    lines.append("")
    for rate, measured_lags in lags:
        p50, p99 = rank(measured_lags, 50), rank(measured_lags, 99)
        lines.append(f"Replication lag of 1 KiB, {rate}: p50 {p50:.2f} s, p99 {p99:.2f} s ({len(measured_lags)} copies).")
    lines.append(f"Proxy, peak resident memory: {', '.join(f'{name} {peak:.0f} MiB' for name, peak in memory.items())}.")
    return "\n".join(lines)


def unit(case: Case, rate: float) -> str:
    return f"{rate:,.0f}/s" if case.size < MIB else f"{rate * case.size / MIB:,.0f} MiB/s"


def rank(ordered: Sequence[float], percent: int) -> float:
    """Nearest rank; 0 when there are none."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


def machine(rounds: int) -> str:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {len(models)} x {models[0]}, {memory:.0f} GiB, {software}; medians of {rounds} rounds."


def free_layout() -> Layout:
    """Beside whatever suite is running."""
    for first in range(9000, 30000, 100):
        if all(ports.is_free(port) for port in range(first, first + 80)):
            return Layout(first)
    raise RuntimeError("no 80 free ports in a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often the targets take turns")
    parser.add_argument("--large", action="store_true", help="measure memory with 5 GiB instead of 1 GiB")
    parser.add_argument("--rclone", help="path of rclone, the peer; without it there is none")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="domicile-bench-") as folder:
        # What was replaced or cut off goes soon, or waiting for nothing to be owed would mostly be waiting for that.
        soon = {"REMOVAL_GRACE_SECONDS": "2", "REMOVAL_SECOND_LOOK_SECONDS": "5"}
        settings = Settings(state=Path(folder) / "state", layout=free_layout(), passed_on=soon)
        with running(settings, say) as launcher:
            result = Bench(launcher, Path(folder), arguments.rclone, arguments).run((5 if arguments.large else 1) * GIB)
    print(f"\n{result}")


if __name__ == "__main__":
    main()
