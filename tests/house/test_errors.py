"""Errors: all of this package under one root, which says with what code a command ends."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import muzero
from games.base import GameError
from games.contract import ContractError
from muzero import cli
from muzero.config import Retired
from muzero.errors import ConfigError, MuZeroError, SeamError
from muzero.learning.graph_step import RecordingError
from muzero.learning.learner import LearningError
from muzero.model.build import WeightsError
from muzero.model.protocol import SearchError
from muzero.packages import Shadowed
from muzero.storage.checkpoint import CheckpointError, Damaged, Foreign, NewerFormat
from muzero.storage.runs import Locked
from muzero.training.source import ActorError, SnapshotError
from muzero.training.watched import MatchLeftError
from muzero.view.console import CommandError
from selfplay.strength.suite import UnevenError


def defined() -> set[type[BaseException]]:
    """All exceptions that a module of muzero defines."""
    names = [found.name for found in pkgutil.walk_packages(muzero.__path__, "muzero.") if "__main__" not in found.name]
    found = [kind for name in names for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass)]
    return {kind for kind in found if issubclass(kind, BaseException) and kind.__module__.startswith("muzero.")}


def test_every_error_of_this_package_is_under_the_root() -> None:
    assert {kind for kind in defined() if not issubclass(kind, MuZeroError)} == {MatchLeftError}, "which none may meet"


@pytest.mark.parametrize(("error", "also", "code"), [
    (MuZeroError("x"), Exception, 1), (SeamError("x"), ValueError, 1), (ConfigError("x"), ValueError, 2),
    (Retired("x"), ValueError, 2),
    (CheckpointError("x"), RuntimeError, 1), (Damaged("x"), RuntimeError, 3), (Locked("x"), RuntimeError, 1),
    (Foreign("x"), RuntimeError, 1), (NewerFormat("x"), RuntimeError, 1), (WeightsError("x"), ValueError, 1),
    (SearchError("x"), RuntimeError, 1), (LearningError("x"), RuntimeError, 1), (ActorError("x"), RuntimeError, 1),
    (SnapshotError("x"), ValueError, 1), (RecordingError("x"), RuntimeError, 1), (Shadowed("x"), ImportError, 1),
    (CommandError("x"), MuZeroError, 1), (CommandError("x", 2), MuZeroError, 2), (CommandError("x", 3), MuZeroError, 3),
    (GameError("x"), ValueError, 1), (ContractError("x"), GameError, 1), (UnevenError("x"), ValueError, 1),
], ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None)
def test_an_error_is_told_and_ends_the_command_with_its_code(
    error: Exception, also: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise error

    assert isinstance(error, also)
    monkeypatch.delenv("MUZERO_DEBUG", raising=False)
    monkeypatch.setattr(cli, "dispatch", fail)
    assert cli.answer(["train"]) == code
    assert capsys.readouterr().err == "error: x\n"


@pytest.mark.parametrize("defect", [ArithmeticError("x"), ValueError("x"), RuntimeError("x"), MatchLeftError("x")])
def test_a_defect_is_shown_whole(defect: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise defect

    monkeypatch.setattr(cli, "dispatch", fail)
    with pytest.raises(type(defect)):
        cli.answer(["train"])
