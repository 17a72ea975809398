"""``python -m domicile_common.testing.chaos run --seconds N [--seed N]``, or ``check FILE`` for a history that was kept."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from domicile_common.testing.chaos.history import check, unexpected
from domicile_common.testing.chaos.run import load, run, save
from domicile_common.testing.chaos.world import world


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--seconds", type=float, default=60)
    running.add_argument("--seed", type=int, default=None)
    commands.add_parser("check").add_argument("file", type=Path)
    chosen = parser.parse_args()
    if chosen.command == "check":
        return check_again(chosen.file)
    return run_once(chosen.seconds, secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed)


def run_once(seconds: float, seed: int) -> int:
    say(f"SEED={seed}, {seconds:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix=f"domicile-chaos-{seed}-"))
    with world(folder) as made:
        outcome = run(made, seconds, seed)
    say(outcome.table())
    for line in outcome.lines():
        say(line)
    if outcome.clean:
        return 0
    save(folder / "history.json", outcome.saved)
    say(f"\nThe history is in {folder / 'history.json'}, the logs are beside it.")
    return 1


def check_again(file: Path) -> int:
    saved = load(file)
    faults = check(saved.history, saved.versioned)
    for line in [*map(str, faults), *map(str, unexpected(saved.history))]:
        say(line)
    return 1 if faults else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
