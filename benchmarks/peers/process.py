"""A contestant in its own process, seen from outside."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from peers.contestant import Refused, Shape, Spent

FOLDER = Path(__file__).parents[1]

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def pin_to_one_core() -> None:
    """This process and all that it starts from now on; a second core would hide threads from nobody but the clock."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def worker_command(python: Path, name: str, shape: Shape) -> list[str]:
    return [str(python), "-m", "peers.worker", name, str(shape)]


class Process:
    """Raises Refused, with the reason, from each call that the contestant doesn't answer in time or at all."""

    def __init__(self, command: list[str], deadline: float) -> None:
        path = os.pathsep.join([str(FOLDER), str(FOLDER.parent)])
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115
        self._deadline = deadline
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        )

    def ready(self) -> dict[str, str]:
        """Versions of what it runs; waits until it has compiled and reserved what it needs."""
        answer = self._answer()
        if "failed" in answer:
            raise Refused(str(answer["failed"]))
        versions: dict[str, str] = answer["versions"]
        return versions

    def turn(self, seconds: float) -> Spent:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Refused(self._last_words()) from None
        return Spent(**self._answer())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(self._deadline):
                raise Refused(f"no answer within {self._deadline:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise Refused(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        said = [line for line in self._errors.read().splitlines() if line.strip()]
        return f"{said[-1].strip() if said else 'it ended'} (exit code {code})"
