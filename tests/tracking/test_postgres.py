"""Many processes that log to one PostgreSQL database at once: a real one, on loopback."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from logged import check_grid, client_of, grid_files, make_trial, runs_of

from negbench.tracking import log_grid

WRITERS = 6
USER = "postgres" if os.geteuid() == 0 else getpass.getuser()
"""PostgreSQL refuses to be started by root."""
PROGRAMS = ("initdb", "pg_ctl", "createdb")
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from logged import grid_files, make_trial
from negbench.tracking import log_grid
out, uri, grid, first = Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
trials = [make_trial(out, number) for number in range(first, first + 3)]
print("ready", flush=True)
sys.stdin.readline()
outcome = log_grid(grid, trials, out, uri, artifacts=grid_files(out))
print(outcome.delivered, outcome.missing, outcome.message)
"""

pytestmark = pytest.mark.slow


def programs() -> Path:
    """Return the folder of the server's programs, which Debian keeps out of PATH."""
    folders = [*map(Path, os.get_exec_path()), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    folders = [folder for folder in folders if all((folder / name).exists() for name in PROGRAMS)]
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return folders[-1]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Path, int]]:
    """A server whose files are in a folder of its own; its programs and its port."""
    pytest.importorskip("psycopg", reason="without the extra postgresql")
    tools = programs()
    home = Path(tempfile.mkdtemp(prefix="negbench-postgres-"))
    shutil.chown(home, USER)
    port = free_port()

    def call(*command: str) -> None:
        subprocess.run(
            [tools / command[0], *command[1:]],
            cwd=home,
            user=USER if os.geteuid() == 0 else None,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    call("initdb", "-D", f"{home}/data", "-A", "trust", "-U", "negbench", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    call("pg_ctl", "-D", f"{home}/data", "-w", "-l", f"{home}/log.txt", "-o", options, "start")
    try:
        yield tools, port
    finally:
        call("pg_ctl", "-D", f"{home}/data", "-m", "immediate", "stop")
        shutil.rmtree(home)


@pytest.fixture
def uri(server: tuple[Path, int], request: pytest.FixtureRequest) -> str:
    """An empty database."""
    tools, port = server
    name = request.node.name.replace("[", "_").replace("]", "")[:60]
    subprocess.run([tools / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "negbench", name], check=True)
    return f"postgresql+psycopg://negbench@127.0.0.1:{port}/{name}"


def written_at_once(folder: Path, uri: str, grids: list[str]) -> list[str]:
    """Let a process a grid log three trials of its own, all at the same moment; return what each said."""
    here = str(Path(__file__).parent)
    processes = []
    for number, grid in enumerate(grids):
        out = folder / str(number)
        out.mkdir()
        command = [sys.executable, "-c", WRITER, here, str(out), uri, grid, str(3 * number)]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate()[0].strip() for process in processes]


def test_one_grid_whose_trials_come_from_many_processes(tmp_path: Path, uri: str) -> None:
    said = written_at_once(tmp_path, uri, ["shared"] * WRITERS)
    assert [line.split()[:2] for line in said] == [["3", "0"]] * WRITERS, said
    check_grid(uri, "shared", [make_trial(tmp_path, number) for number in range(3 * WRITERS)])


def test_many_grids_at_once(tmp_path: Path, uri: str) -> None:
    grids = [f"grid {number}" for number in range(WRITERS)]
    said = written_at_once(tmp_path, uri, grids)
    assert [line.split()[:2] for line in said] == [["3", "0"]] * WRITERS, said
    for number, grid in enumerate(grids):
        check_grid(uri, grid, [make_trial(tmp_path, number) for number in range(3 * number, 3 * number + 3)])


def test_what_was_deleted_is_restored(tmp_path: Path, uri: str) -> None:
    trials, files = [make_trial(tmp_path, number) for number in range(2)], grid_files(tmp_path)
    assert log_grid("deleted", trials, tmp_path, uri, artifacts=files).missing == 0
    (parent,), children = runs_of(uri, "deleted")
    for run in (parent, children[trials[0].key]):
        client_of(uri).delete_run(run.info.run_id)
    assert log_grid("deleted", trials, tmp_path, uri, artifacts=files).delivered == 2
    check_grid(uri, "deleted", trials)


def test_the_address_is_told_without_its_password(tmp_path: Path, uri: str) -> None:
    unknown = uri.replace("negbench@", "nobody:secret@")
    outcome = log_grid("refused", [make_trial(tmp_path)], tmp_path, unknown)
    assert (outcome.delivered, outcome.missing) == (0, 1)
    assert "secret" not in outcome.message
    assert 'role "nobody" does not exist' in outcome.message
