"""Runs a command with its output in a file: says now and then how far it is, and how it ended where it failed.

    python .ci/quietly.py LOG 'what it does' COMMAND ...
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

TERMINAL_SECONDS, PIPED_SECONDS = 1.0, 15.0
"""Between two reports: on a terminal each takes the place of the last one."""
LAST = 20
"""Lines shown of a command that failed."""
TAIL_BYTES = 20_000


def main(argv: list[str]) -> int:
    """The command's exit code; 130 where Ctrl-C ended it."""
    log, what, *command = argv
    terminal = sys.stdout.isatty()
    print(f"{what} (all it says: {log})", flush=True)
    start = time.monotonic()
    with open(log, "wb") as out, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
    ) as process:
        try:
            while not ended(process, TERMINAL_SECONDS if terminal else PIPED_SECONDS):
                report(time.monotonic() - start, Path(log), terminal)
        except KeyboardInterrupt:
            process.wait()
            print(f"\ninterrupted; what was done so far: {log}", file=sys.stderr)
            return 130
    clear(terminal)
    if process.returncode:
        print("\n".join(["...", *lines(Path(log))[-LAST:]]), file=sys.stderr)
        print(f"failed with exit code {process.returncode}: {what}\n  all it said: {log}", file=sys.stderr)
        return process.returncode if process.returncode > 0 else 1
    print(f"done in {minutes(time.monotonic() - start)}", flush=True)
    return 0


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for `seconds` at most."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def report(seconds: float, log: Path, terminal: bool) -> None:
    """Time and the last line, cut to the width of a terminal."""
    said = lines(log)
    text = f"  {minutes(seconds)}  {said[-1].strip() if said else ''}"
    width = shutil.get_terminal_size().columns - 1
    clear(terminal)
    print(text[:width], end="" if terminal else "\n", flush=True)


def clear(terminal: bool) -> None:
    """Empty the line of the last report."""
    if terminal:
        print("\r\x1b[K", end="", flush=True)


def minutes(seconds: float) -> str:
    """`2:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def lines(log: Path) -> list[str]:
    """The last lines of a file that aren't empty."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
