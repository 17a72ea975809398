from __future__ import annotations

import hashlib

from domicile_local import demo
from domicile_local.demo import File, Replica, make_input, percentile, table


def test_the_input_is_the_tree_topped_up_with_one_big_file(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "BIG_BYTES", 3 * demo.CHUNK_BYTES)
    tree = tmp_path / "tree"
    (tree / "docs").mkdir(parents=True)
    (tree / "docs" / "a b.md").write_text("text")
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").write_text("left out")
    (tree / "link").symlink_to("nowhere")
    files = {file.key: file for file in make_input(tree, tmp_path / "input")}
    assert len(files) == demo.AT_LEAST_FILES + 1
    assert files["docs/a b.md"].sha256 == hashlib.sha256(b"text").hexdigest()
    assert files["big.bin"].size == 3 * demo.CHUNK_BYTES
    assert not any("venv" in key or key == "link" for key in files)
    assert 0 in {file.size for file in files.values()}  # an empty object is an object


def test_percentiles_are_nearest_rank():
    assert percentile([], 99) == 0
    assert percentile([5.0], 50) == 5
    assert percentile([float(number) for number in range(1, 101)], 99) == 99
    assert percentile([float(number) for number in range(1, 101)], 50) == 50


def replica(backend_id, country, state, *, copied, lag):
    return Replica("a", backend_id, country, state, "ns", "a/1", copied, lag)


def test_the_table_counts_copies_by_state_and_country_and_lag_of_copies_only(tmp_path):
    replicas = [replica("fi", "FI", "verified", copied=False, lag=9.0), replica("de", "DE", "stored", copied=True, lag=2.0)]
    lines = {line[:20].strip(): line[20:].strip() for line in table([File("a", tmp_path, 1000, "")], replicas).splitlines()}
    assert lines["bytes"] == "1,000"
    assert lines["countries"] == "DE 1, FI 1"
    assert (lines["replicas wanted"], lines["replicas stored"], lines["replicas verified"]) == ("2", "2", "1")
    assert lines["lag p99"] == "2.00 s"
