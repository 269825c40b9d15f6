"""What the reports of a run say: no figure that means nothing, no advice that is out of date."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from muzero.display import line, panel
from muzero.metrics import Progress

NAN = math.nan


def progress(status: str = "training", **changes: object) -> Progress:
    values: dict[str, object] = {
        "game": "hex(board_size=5)", "run": "runs/hex", "step": 300, "steps_limit": 1000, "elapsed_s": 61.0,
        "minutes_limit": 0.0, "progress": 0.3, "eta_s": 90.0, "games": 1234, "positions": 5678,
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
    ],
)
def test_time_left_is_told_once_it_can_be_known(changes: dict[str, object], left: str) -> None:
    for text in shown(progress(**changes)):  # type: ignore[arg-type]
        assert (f"done, {left} left" in text) if left else (" left" not in text)


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
