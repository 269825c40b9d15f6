"""`make setup` and `make demo`: what an installation says while it goes on, and where it fails."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

QUIETLY = Path(__file__).parents[2] / ".ci" / "quietly.py"
PIP = "for number in range(300): print('Collecting package', number, flush=True)\n"


def quietly(log: Path, code: str) -> list[str]:
    return [sys.executable, str(QUIETLY), str(log), "installing", sys.executable, "-c", code]


def test_what_succeeds_is_told_in_two_lines(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    done = subprocess.run(quietly(log, PIP), capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"installing (all it says: {log})\ndone in 0:0")
    assert (done.stdout.count("\n"), done.stderr) == (2, "")
    assert len(log.read_text().splitlines()) == 300


def test_what_fails_shows_its_end_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    code = PIP + "import sys; sys.exit('ERROR: no such package')"
    done = subprocess.run(quietly(log, code), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "done" not in done.stdout
    shown = done.stderr.splitlines()
    assert shown[0] == "..."
    assert shown[1] == "Collecting package 281"
    assert shown[-3:] == ["ERROR: no such package", "failed with exit code 1: installing", f"  all it said: {log}"]


@pytest.mark.parametrize("terminal", [True, False])
def test_how_far_it_is_is_told_meanwhile(terminal: bool, tmp_path: Path) -> None:
    """On a terminal in one line that changes; piped in a line now and then."""
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'end')!r}).exists(): time.sleep(0.01)\n"
    run = ("import runpy, sys; sys.argv = sys.argv[1:]; quietly = runpy.run_path(sys.argv[0]); main = quietly['main']\n"
           "main.__globals__.update(TERMINAL_SECONDS=0.05, PIPED_SECONDS=0.05); sys.exit(main(sys.argv[1:]))")
    ours, theirs = pty.openpty() if terminal else os.pipe()
    words = [sys.executable, "-c", run, *quietly(tmp_path / "log", PIP + wait)[1:]]
    with subprocess.Popen(words, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while b"Collecting package 299" not in said:
            said += os.read(ours, 65536)
        (tmp_path / "end").touch()
        assert process.wait(60) == 0
    os.close(ours)
    assert (b"\r\x1b[K" in said) == terminal


def test_ctrl_c_ends_it_with_its_own_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import time; print('begun', flush=True); time.sleep(60)"
    with subprocess.Popen(quietly(log, code), stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not log.exists() or not log.read_text():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert f"interrupted; what was done so far: {log}" in process.stderr.read()
    assert process.returncode == 130
