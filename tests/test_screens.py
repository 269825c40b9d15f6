"""What a person sees: reports of a training run, panels and curves, colours, small formats."""

from __future__ import annotations

import io

import pytest

from muzero.commands.console import log
from muzero.display import Display, by_step, panel, sparkline
from muzero.metrics import Progress
from muzero.terminal import bar, duration, ink, plain, printable, quantity, table


class Broken(io.StringIO):
    """A stream whose other end is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def progress(step: int = 3, status: str = "training", **changes: object) -> Progress:
    values: dict[str, object] = {
        "game": "hex(board_size=5)", "run": "runs/hex", "step": step, "steps_limit": 10, "elapsed_s": 61.0,
        "minutes_limit": 0.0, "progress": 0.1, "eta_s": 90.0, "games": 1234, "positions": 5678,
        "games_per_s": 12.0, "positions_per_s": 100.0, "simulations_per_s": 180_000.0, "steps_per_s": 2.0,
        "replay_positions": 50, "replay_capacity": 100, "replay_ratio": 1.5, "replay_ratio_wanted": 2.0,
        "learner_wait": 0.25, "losses": {"total": 2.0}, "checks": {"recall@1": 0.9, "recall@2": 0.5},
        "evaluation": "", "status": status,
    }
    return Progress(**{**values, **changes})  # type: ignore[arg-type]


def test_plain_reports_are_throttled_lines() -> None:
    stream, now = io.StringIO(), [0.0]
    with Display(stream, lambda: now[0]) as display:
        for seconds in range(25):
            now[0] = float(seconds)
            display.show(progress(step=seconds))
        display.show(progress(status="done and saved"))
    lines = stream.getvalue().splitlines()
    assert [line.split(" | ")[1].split()[1] for line in lines] == ["0", "10", "20", "3"]
    for word in ("done and saved", "30%", "1:01 done", "1:30 left", "recall 0.9/0.5"):
        assert word in lines[-1]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_panel_that_is_closed_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Screen()

    def interrupted() -> None:
        with Display(stream) as display:
            display.show(progress())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "hex(board_size=5)" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("\x1b[?25h"), "the cursor must be shown again"


def test_nobody_needs_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with Display(Broken(), lambda: 0.0) as display:
        display.show(progress())
        display.show(progress(status="done and saved"))
    monkeypatch.setattr("sys.stderr", Broken())
    log("said to nobody")


def test_panel_and_curve_survive_odd_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    assert sparkline([1.0, nan, 3.0, inf]) == "▁?█?"
    assert sparkline([]) == sparkline([nan]).replace("?", "") == ""
    assert sparkline([2.0, 2.0]) == "▁▁"
    panel(progress(losses={"total": nan}, checks={"recall@1": nan}, steps_limit=0, evaluation="[bold"), [nan])
    assert by_step({"a@1": 1.0, "a@2": 2.0, "b_c": 3.0}) == {"a": [1.0, 2.0], "b c": [3.0]}


def test_colour_only_for_willing_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not plain(Screen())
    assert ink(Screen())("x", "red") == "\x1b[31mx\x1b[0m"
    assert plain(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert ink(Screen())("x", "red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert plain(Screen())


def test_printable_keeps_lines_and_escapes_the_rest() -> None:
    assert printable("é█ a\nb") == "é█ a\nb"
    assert printable("\x1b[31m\t\r\x85\u202e\ud800") == r"\x1b[31m\t\r\x85\u202e\ud800"


def test_small_formats() -> None:
    assert table(("a", "b"), [("xyz", "1"), ("x", "22")]) == "a     b\nxyz   1\nx    22"
    assert [duration(s) for s in (0, 61, 3723)] == ["0:00", "1:01", "1:02:03"]
    assert [quantity(n) for n in (950, 12_340, 1_234_000)] == ["950", "12.3 k", "1.2 M"]
    assert [bar(share, 4) for share in (-1.0, 0.5, 2.0)] == ["░░░░", "██░░", "████"]
