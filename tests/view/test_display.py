"""What the reports of a run say: no figure that means nothing, no advice that is out of date, and on which streams."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest
from rich.console import Console
from test_terminal import Screen

from muzero.commands import train_words
from muzero.config.settings import TrainConfig
from muzero.view.console import log
from muzero.view.display import Display, by_step, line, panel, sparkline
from muzero.view.progress import EVALUATING, LAST_EVALUATION, RANDOM_PLAY, Progress

NAN = math.nan


class Broken(io.StringIO):
    """A stream whose other end is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def progress(status: str = "training", **changes: object) -> Progress:
    values: dict[str, object] = {
        "game": "hex(board_size=5)", "run": "runs/hex", "step": 300, "steps_limit": 1000, "elapsed_s": 61.0,
        "minutes_limit": 0.0, "clock": "wall", "progress": 0.3, "eta_s": 90.0, "games": 1234, "positions": 5678,
        "games_per_s": 0.0, "positions_per_s": 0.0, "simulations_per_s": 0.0, "steps_per_s": 0.0,
        "replay_positions": 50, "replay_capacity": 100, "replay_ratio": 1.5, "replay_ratio_wanted": 2.0,
        "learner_wait": 0.25, "losses": {"total": 2.0}, "checks": {}, "evaluation": "", "status": status,
    }
    return Progress(**{**values, **changes})  # type: ignore[arg-type]


def shown(report: Progress) -> tuple[str, str]:
    """The plain line and the text of the panel."""
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as capture:
        console.print(panel(report, [2.0]))
    return line(report), capture.get()


def test_a_share_of_nothing_is_no_number() -> None:
    plain, drawn = shown(progress(checks={"recall@1": 0.5, "recall@2": NAN, "false@1": NAN}))
    assert "recall 0.5/- | false -" in plain
    assert "0.5  -" in drawn
    assert "nan" not in plain + drawn


def test_names_with_colons_are_no_pictures() -> None:
    for text in shown(progress(evaluation="over mcts:100: 3 won")):
        assert "over mcts:100: 3 won" in text


def test_cut_games_and_warnings_are_told() -> None:
    for text in shown(progress(cut=34, warnings=("most games are cut",))):
        assert "1,234 games (34 of them cut off)" in text
        assert "most games are cut" in text
    for text in shown(progress()):
        assert "cut" not in text
        assert "warning" not in text


def test_how_far_the_model_may_be_trusted_is_told() -> None:
    plain, drawn = shown(progress(trust="good to 4 moves; at 5, wrong about value"))
    assert " | model good to 4 moves; at 5, wrong about value" in plain
    assert re.search(r"model +good to 4 moves; at 5, wrong about value", drawn)
    for text in shown(progress()):
        assert "model" not in text


def test_a_policy_without_targets_has_no_loss() -> None:
    for text in shown(progress(losses={"total": 2.0, "policy": 0.0, "turn": 0.0})):
        assert "policy -  turn 0" in text
    for text in shown(progress(losses={"total": 2.0, "policy": 1.5})):
        assert "policy 1.5" in text


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, "1:30"),
        ({"elapsed_s": 29.0}, ""),
        ({"step": 19}, ""),
        ({"step": 19, "minutes_limit": 60.0}, "58:59"),
        ({"minutes_limit": 60.0}, "1:30"),
        ({"elapsed_s": 20.0, "step": 0, "steps_limit": 0, "minutes_limit": 1.0, "eta_s": 40.0}, "0:40"),
        ({"status": "stopped and saved", "step": 19, "minutes_limit": 60.0}, ""),
        ({"status": LAST_EVALUATION, "step": 1000, "elapsed_s": 5.0, "minutes_limit": 1.0}, ""),
        ({"status": LAST_EVALUATION, "step": 1000}, ""),
    ],
)
def test_time_left_is_told_once_it_can_be_known(changes: dict[str, object], left: str) -> None:
    for text in shown(progress(**changes)):  # type: ignore[arg-type]
        assert (f"done, {left} left" in text) if left else (" left" not in text)


def test_cpu_time_is_told_apart_from_the_wall_clock() -> None:
    for text in shown(progress(clock="cpu")):
        assert "1:01 done, 1:30 left (CPU time)" in text
    assert not any("CPU" in text for text in shown(progress()))
    settings = TrainConfig(steps=0, minutes=2.0, clock="cpu")
    assert train_words.limit(settings) == "training for 2 minutes of CPU time"
    assert train_words.limit(dataclasses.replace(settings, clock="wall")) == "training for 2 minutes"


def test_random_play_before_all_searches_is_told() -> None:
    plain, drawn = shown(progress(RANDOM_PLAY, warmup_positions=20_000))
    assert "hex(board_size=5): random play first: 5,678 of 20,000 positions | step" in plain
    assert "random play first" in drawn
    assert "5,678 of 20,000 positions, then searches begin" in drawn
    for text in shown(progress("done and saved", warmup_positions=20_000)):
        assert "20,000" not in text


@pytest.mark.parametrize("status", ["done and saved", "stopped and saved"])
def test_a_run_that_ended_has_no_rates_and_cannot_be_stopped(status: str) -> None:
    plain, drawn = shown(progress(status))
    assert "/s" not in plain + drawn
    assert "Ctrl-C" not in drawn
    assert "1,234 games" in plain
    assert "1,234 games" in drawn
    running = shown(progress())
    assert "0/s" in running[0]
    assert "Ctrl-C saves and stops" in running[1]


@pytest.mark.parametrize("status", [EVALUATING, LAST_EVALUATION])
def test_an_evaluation_has_no_rates_of_self_play(status: str) -> None:
    plain, drawn = shown(progress(status, evaluation="3 of 20 games over, of at most 3,000 moves each, 9 moves made"))
    assert "/s" not in plain + drawn
    assert "of at most 3,000 moves each" in plain
    assert "Ctrl-C saves and stops" in drawn


def test_the_curve_of_losses_has_a_point_a_learning_step() -> None:
    """In an evaluation reports come without a step: the last loss, again and again, would fill the curve."""
    display = Display(io.StringIO(), clock=lambda: 0.0)
    for step, loss in ((100, 3.0), (200, 2.0), (200, 2.0), (200, 2.0), (300, 1.0)):
        display.show(progress(step=step, losses={"total": loss}))
    assert list(display._losses) == [3.0, 2.0, 1.0]


def test_plain_reports_are_throttled_lines() -> None:
    stream, now = io.StringIO(), [0.0]
    with Display(stream, lambda: now[0]) as display:
        for seconds in range(25):
            now[0] = float(seconds)
            display.show(progress(step=seconds))
        display.show(progress(status="done and saved", checks={"recall@1": 0.9, "recall@2": 0.5}))
    lines = stream.getvalue().splitlines()
    assert [line.split(" | ")[1].split()[1] for line in lines] == ["0", "10", "20", "300"]
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


def test_no_colour_is_asked_and_no_colour_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Screen()
    with Display(stream) as display:
        display.show(progress())
    assert "╭" in stream.getvalue(), "the panel stays"
    colours = re.findall(r"\x1b\[([0-9;]*)m", stream.getvalue())
    assert not [code for codes in colours for code in codes.split(";") if code and int(code) >= 30], colours


def test_a_game_of_one_s_own_goes_by_its_file_and_class() -> None:
    for text in shown(progress(game="/very/far/away/mine.py:Nim(stones=3)")):
        assert "mine.py:Nim(stones=3)" in text
        assert "/very" not in text


def test_nobody_needs_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with Display(Broken(), lambda: 0.0) as display:
        display.show(progress())
        display.show(progress(status="done and saved"))
    monkeypatch.setattr("sys.stderr", Broken())
    log("said to nobody")


@pytest.fixture
def limited() -> Iterator[None]:
    """An end to what would wait for ever."""

    def give_up(*_: object) -> NoReturn:
        raise TimeoutError("waited in vain")

    old = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 60.0, 5.0)  # again and again: leaving may wait, too
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, old)


def test_a_reader_that_stands_still_holds_no_run_up(limited: None) -> None:
    """Lines that nobody takes are left out, until somebody does."""
    receive, send = os.pipe()
    os.set_blocking(send, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(send, b"x" * 4096)
    os.set_blocking(send, True)
    with os.fdopen(send, "w") as stream, os.fdopen(receive, "rb") as reader:
        with Display(stream, lambda: 0.0) as display:
            display.show(progress())
            reader.read(1 << 16)
            display.show(progress(step=400))
        assert reader.read1().decode().startswith("hex(board_size=5): training | step 400")


class Frozen(Screen):
    """A terminal that can be made to stand still."""

    def __init__(self) -> None:
        super().__init__()
        self.moves = threading.Event()
        self.moves.set()
        self.waiting = threading.Event()

    def write(self, text: str) -> int:
        if not self.moves.is_set():
            self.waiting.set()
        self.moves.wait()
        return super().write(text)


def test_a_terminal_that_stands_still_holds_no_run_up(limited: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Frozen()
    with Display(stream) as display:
        display.show(progress())
        stream.moves.clear()
        try:
            stream.waiting.wait()
            for step in range(10):
                display.show(progress(step=step))
        finally:
            stream.moves.set()
        display.show(progress(step=777))
    assert "777" in stream.getvalue()


def test_panel_and_curve_survive_odd_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    assert sparkline([1.0, nan, 3.0, inf]) == "▁?█?"
    assert sparkline([]) == sparkline([nan]).replace("?", "") == ""
    assert sparkline([2.0, 2.0]) == "▁▁"
    panel(progress(losses={"total": nan}, checks={"recall@1": nan}, steps_limit=0, evaluation="[bold"), [nan])
    assert by_step({"a@1": 1.0, "a@2": 2.0, "b_c": 3.0}) == {"a": [1.0, 2.0], "b c": [3.0]}
