import os

import pytest

from domicile_local.servers import process


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down")
def test_an_unprivileged_program_reaches_its_files_below_a_folder_of_root(tmp_path):
    home = tmp_path / "root"
    home.mkdir(mode=0o700)
    tool = home / "tool"
    tool.write_text("#!/bin/sh\nid -u\n")
    tool.chmod(0o700)
    # env finds the program `test`, which asks access(2), as initdb does; the shell's own would not
    assert process.run(["sh", "-c", f"env test -x {tool} && {tool}"], "the tool", unprivileged=True).strip() != "0"
