import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SERVICE = """
    import asyncio

    class Worker:
        def step(self, name):
            print(name, flush=True)

        async def commit(self):
            self.step("commit")
            return 1

        @staticmethod
        def plain():
            print("plain", flush=True)
"""

MAIN = """
    import asyncio, sys
    from killable_service import Worker

    async def main():
        for number in (1, 2):
            Worker().step(f"step {number}")
            assert await Worker().commit() == 1
            Worker.plain()
        print("end", *sys.argv, flush=True)

    if __name__ == "__main__":
        asyncio.run(main())
"""


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "killable_service.py").write_text(textwrap.dedent(SERVICE))
    (tmp_path / "killable_main.py").write_text(textwrap.dedent(MAIN))

    def run(*arguments: str) -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "domicile_common.testing.kill_at", *arguments]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.mark.parametrize(
    "arguments, printed",
    [
        (["before", "killable_service:Worker.commit"], ["step 1"]),
        (["after", "killable_service:Worker.commit"], ["step 1", "commit"]),
        (["before", "--count", "2", "killable_service:Worker.commit"], ["step 1", "commit", "plain", "step 2"]),
        (["after", "killable_service:Worker.step"], ["step 1"]),
        (["before", "killable_service:Worker.plain"], ["step 1", "commit"]),
    ],
)
def test_dies_by_sigkill_at_the_chosen_call(run, arguments, printed):
    assert run(*arguments, "--", "killable_main") == (-signal.SIGKILL, printed)


def test_a_place_that_is_not_reached_kills_nothing(run):
    code, printed = run("before", "--count", "9", "killable_service:Worker.commit", "--", "killable_main", "--flag", "x")
    assert code == 0
    assert printed[-1].endswith("killable_main.py --flag x")
