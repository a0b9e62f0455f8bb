import gzip
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from seekmath.core.files import (
    SCRATCH_PREFIX,
    BadInput,
    clean_scratch,
    read_json,
    read_jsonl,
    read_parquet,
    whole_file,
    whole_folder,
    write_json,
    write_jsonl,
    write_parquet,
)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_folder_leaves_the_old_folder(tmp_path):
    with whole_folder(tmp_path / "d") as scratch:
        (scratch / "x").write_text("1")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "d") as scratch:
        raise RuntimeError
    assert (tmp_path / "d" / "x").read_text() == "1"


def test_a_killed_writer_leaves_scratch_that_is_cleaned(tmp_path):
    program = (
        "import sys, time; from seekmath.core.files import whole_file\n"
        f"with whole_file({str(tmp_path / 'a.txt')!r}) as f:\n"
        "    f.write('half'); f.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [name.startswith(SCRATCH_PREFIX) for name in os.listdir(tmp_path)] == [True]
    clean_scratch(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines_round_trip_and_same_bytes(tmp_path, name):
    rows = [{"a": 1, "b": "é 数"}, {"a": 2}]
    assert write_jsonl(tmp_path / name, rows) == 2
    assert list(read_jsonl(tmp_path / name)) == rows
    first = (tmp_path / name).read_bytes()
    time.sleep(1.1 if name.endswith("gz") else 0)
    write_jsonl(tmp_path / name, rows)
    assert (tmp_path / name).read_bytes() == first


def test_bad_json_lines_name_file_and_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": \n')
    with pytest.raises(BadInput, match=r"a\.jsonl:3: not valid JSON: [A-Z][^:]*, at character"):
        list(read_jsonl(path))
    path.write_text("[1]\n")
    with pytest.raises(BadInput, match="expected an object"):
        list(read_jsonl(path))
    with pytest.raises(BadInput, match="no such file"):
        list(read_jsonl(tmp_path / "absent.jsonl"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n')[:-6])
    with pytest.raises(BadInput, match="damaged gzip"):
        list(read_jsonl(tmp_path / "b.jsonl.gz"))


def test_json_round_trip_and_errors(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, 2]})
    assert read_json(tmp_path / "a.json") == {"x": [1, 2]}
    (tmp_path / "b.json").write_text("{")
    for name in ("b.json", "absent.json"):
        with pytest.raises(BadInput, match=name):
            read_json(tmp_path / name)


def test_parquet_folder_is_read_in_name_order(tmp_path):
    schema = pa.schema([("a", pa.int32())])
    write_parquet(tmp_path / "2.parquet", [{"a": 2}], schema)
    write_parquet(tmp_path / "1.parquet", [{"a": 1}], schema)
    assert read_parquet(tmp_path)["a"].to_pylist() == [1, 2]
    with pytest.raises(BadInput, match="no column b"):
        read_parquet(tmp_path, ["b"])
    with pytest.raises(BadInput, match="no such file"):
        read_parquet(tmp_path / "absent.parquet")
    (tmp_path / "3.parquet").write_text("x")
    with pytest.raises(BadInput, match="not readable as Parquet"):
        read_parquet(tmp_path)


def test_half_a_surrogate_pair_becomes_a_question_mark(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "1 \\ud800", "b": "\\ud83d\\ude00 \\\\ud800"}\n')
    rows = list(read_jsonl(path))
    assert rows == [{"a": "1 ?", "b": "\U0001f600 \\ud800"}]
    write_jsonl(path, [{"a": "1 \ud800"}])
    assert list(read_jsonl(path)) == [{"a": "1 ?"}]
