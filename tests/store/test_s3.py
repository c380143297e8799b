"""A grid on an S3 server on this machine, by machines that share nothing else; left out where moto is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from child_process import CODE

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

SECRET = "a-secret-that-nobody-may-read"
SLOW = """
import sys
from dataclasses import dataclass
from negbench.store import Stage, Store

@dataclass(frozen=True, eq=False)
class Slow(Stage):
    kind = "slow"
    def run(self, path_of, out):
        print("running", flush=True)
        sys.stdin.read()
        (out / "result").write_text(sys.argv[1])
        return {}

print((Store.default().ensure(Slow()) / "result").read_text(), flush=True)
"""


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of a machine that may use the bucket ``shared``."""
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "OMP_NUM_THREADS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem().mkdir("shared")
        yield {**os.environ, "NEGBENCH_STORE": "s3://shared/negbench"}
    server.stop()


def test_two_machines_that_make_the_same_end_with_the_same(environment: dict[str, str], tmp_path: Path) -> None:
    """Both are at it at once; the one that ends last takes what the other has put."""

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SLOW, name],
            env={**environment, "NEGBENCH_CACHE": str(tmp_path / name)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    with start("one") as one, start("two") as two:
        for process in (one, two):
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
        assert two.communicate()[0] == "two\n"
        assert one.communicate()[0] == "two\n"
    with start("three") as three:
        assert three.communicate()[0] == "two\n"  # without "running"
    made = [next((tmp_path / name / "slow").rglob("stage.json")).read_bytes() for name in ("one", "two", "three")]
    assert made[0] == made[1] == made[2]


def run(environment: dict[str, str], here: Path, *more: str) -> str:
    """Run the grid with a disk of its own; return what was printed."""
    here.mkdir()
    command = [sys.executable, "-c", CODE, "run", str(here.parent / "grid.yaml"), "--out", "out", *more]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def records(here: Path) -> dict[Path, bytes]:
    """Return the records of a machine's artifacts, which say to the millisecond when each was made."""
    return {path.relative_to(here): path.read_bytes() for path in here.glob(".negbench/*/*/stage.json")}


def test_a_bucket_that_is_not_there_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    code = "from negbench.store import Store; Store.default().open()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "NEGBENCH_STORE": "s3://nowhere/x"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1].endswith(
        "InputError: store s3://nowhere/x: there is no such bucket; make it, or correct it"
    )


@pytest.mark.slow
def test_a_second_machine_makes_nothing_and_has_the_same_table(
    environment: dict[str, str], tmp_path: Path, tiny_encoder: Path
) -> None:
    (tmp_path / "grid.yaml").write_text(f"""
name: objects
collection: helpdesk(articles=100, queries=24, dev=6, test=12)
encoder: {{model: {tiny_encoder}, reinit_layers: 1}}
methods: [in-batch, bm25]
train: {{epochs: 1, batch_size: 8, max_length: 32, precision: float32}}
baseline: in-batch
estimators: [exact]
""")
    told = run(environment, tmp_path / "first") + run(environment, tmp_path / "second", "--workers", "2")
    assert len(records(tmp_path / "first")) > 10
    assert records(tmp_path / "first") == records(tmp_path / "second")
    tables = [json.loads((tmp_path / name / "out/results.json").read_text())["tables"] for name in ("first", "second")]
    assert tables[0] == tables[1]
    assert SECRET not in told
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
