"""Cores, memory and others at work, as a machine or a container shows them in files made up here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpp_mcts import _core
from games import machine
from muzero import cli
from muzero.bench.memory import free_bytes
from muzero.commands import train_words
from muzero.evaluation.provenance import hardware
from muzero.view.console import FAILURE, OK, USAGE

GIB = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 64 cores and 512 GiB, 400 of them free; nothing else is known of it."""
    monkeypatch.setattr(machine, "SYSTEM", tmp_path)
    monkeypatch.setattr(machine, "_machine_memory", lambda: 512 * GIB)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    write(tmp_path, {"proc/meminfo": f"MemTotal: {512 << 20} kB\nMemAvailable: {400 << 20} kB\n"})
    return tmp_path


def write(system: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).write_text(text)


def test_without_groups_all_is_allowed(system: Path) -> None:
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (64, 512 * GIB, 400 * GIB)


@pytest.mark.parametrize("group", ["/", "/system.slice/docker-12ab.scope"])
@pytest.mark.parametrize("top", ["sys/fs/cgroup", "sys/fs/cgroup/unified"])
def test_a_container_of_version_2(system: Path, top: str, group: str) -> None:
    """Its own group stands on top, whether its path is told as the container's or as the host's."""
    write(system, {
        "proc/self/cgroup": f"0::{group}\n", f"{top}/cpu.max": "250000 100000\n", f"{top}/memory.max": f"{4 * GIB}\n",
        f"{top}/memory.current": f"{3 * GIB}\n", f"{top}/memory.stat": f"anon 5\ninactive_file {GIB}\n",
    })
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (3, 4 * GIB, 2 * GIB)
    assert free_bytes() == 2 * GIB
    assert _core.memory_limit(str(system)) == min(4 * GIB, _core.memory_limit())


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_a_container_of_version_1(system: Path, folder: str) -> None:
    write(system, {
        "proc/self/cgroup": "4:memory:/docker/12ab\n3:cpu,cpuacct:/docker/12ab\n0::/\n",
        f"sys/fs/cgroup/{folder}/cpu.cfs_quota_us": "50000\n", f"sys/fs/cgroup/{folder}/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB // 2}\n",
        "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n",
    })
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (1, GIB, 3 * GIB // 4)
    assert _core.memory_limit(str(system)) == GIB


def test_a_group_has_no_more_than_those_above_it(system: Path) -> None:
    top = "sys/fs/cgroup"
    write(system, {
        "proc/self/cgroup": "0::/user/job\n", f"{top}/user/job/cpu.max": "max 100000\n",
        f"{top}/user/cpu.max": "800000 100000\n",
        f"{top}/user/job/memory.max": f"{9 * GIB}\n", f"{top}/user/memory.max": f"{5 * GIB}\n",
        f"{top}/user/memory.current": f"{6 * GIB}\n",
    })
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (8, 5 * GIB, 0)
    assert _core.memory_limit(str(system)) == min(5 * GIB, _core.memory_limit())


@pytest.mark.parametrize("files", [
    {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"},
    {"proc/self/cgroup": "2:cpu:/\n3:memory:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
     "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
     "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
    {"proc/self/cgroup": "odd\n0::/\n\n", "sys/fs/cgroup/cpu.max": "x\n", "sys/fs/cgroup/memory.max": "\n"},
])
def test_groups_without_a_limit_allow_all(system: Path, files: dict[str, str]) -> None:
    write(system, files)
    assert (machine.cores(), machine.memory(), machine.free_memory()) == (64, 512 * GIB, 400 * GIB)
    assert _core.memory_limit(str(system)) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_affinity_counts_where_it_is_less(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(system, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 6})
    assert machine.cores() == 2


def test_a_system_without_affinity_has_all_its_cores(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores() == 64


def test_what_is_stored_and_told_is_what_the_container_has(system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(system, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000\n",
                   "sys/fs/cgroup/memory.max": f"{8 * GIB}\n"})
    assert (hardware()["cores"], hardware()["memory_gib"]) == (4, 8.0)
    assert cli.main(["doctor"]) == OK
    assert "4 cores of 64, 8.0 GiB of memory" in capsys.readouterr().out


def test_a_replay_that_a_container_would_be_killed_for_is_refused(
    system: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(system, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"})
    words = ["train", "atari/pong", "--preset", "small", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--replay.capacity", "400_000"]) == USAGE
    said = capsys.readouterr().err
    assert "this process may use only 1,074 MB of memory: lower --replay.capacity" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("load", "pressure", "told"), [
    (64.0, "some avg10=80.00 avg60=1.00", False), (90.5, "some avg10=80.00 avg60=1.00", True),
    (90.5, "some avg10=0.50 avg60=1.00", False), (90.5, "", True),
])
def test_a_busy_machine_is_told(
    system: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], load: float, pressure: str,
    told: bool,
) -> None:
    """Where processes wait for cores now, and did in the last minute; a load that has gone is nobody's."""
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    write(system, {"proc/pressure/cpu": f"{pressure}\n"} if pressure else {})
    words = "the machine is busy: 90.5 processes compete for its 64 cores"
    assert machine.busy() == (words if told else "")
    assert [line.startswith(words) for line in train_words.crowded(0)] == [True] * told
    assert cli.main(["doctor"]) == OK
    assert (f"{words}, figures will be slow" in capsys.readouterr().out) == told


def test_memory_that_is_not_free_now_is_told(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert train_words.crowded(400 * GIB) == []
    assert train_words.crowded(401 * GIB) == [
        "only 429,497 MB of memory are free now, less than the replay buffer will fill"]


def test_a_place_where_no_run_can_be_is_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").touch()
    assert cli.main(["doctor"]) == FAILURE
    assert f"{tmp_path / 'checkpoints'} is not a folder: choose another --out for runs" in capsys.readouterr().out
    assert cli.main(["train", "tic_tac_toe"]) == FAILURE
    said = capsys.readouterr().err
    assert "expected a folder, found a file" in said
    assert "choose another folder with --out FOLDER" in said
