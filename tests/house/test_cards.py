"""Model cards of the shipped agents: their commands give the agents' settings, or say which options do."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from typing import Any

import pytest

import checkpoints
from muzero import presets
from muzero.commands.train_options import asked_preset, read, split, to_config
from muzero.config import Config
from muzero.storage import checkpoint

CHOSEN_HERE = {"preset", "search.threads", "selfplay.games", "train.actors"}
"""What a run chooses for its machine, and the preset's name, which agents didn't store at first."""
ADDED = re.compile(r"since \w+ the preset has (?:another value|other values): add (--.+)\)$")
GONE = "the preset has changed since in more than options can undo"


def settings(config: Config) -> dict[str, Any]:
    """Each setting by its dotted name, without those in CHOSEN_HERE."""
    found: dict[str, Any] = {}

    def walk(values: dict[str, Any], prefix: str) -> None:
        for name, value in values.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{name}.")
            elif prefix + name not in CHOSEN_HERE:
                found[prefix + name] = value

    walk(dataclasses.asdict(config), "")
    return found


def asked(command: str) -> Config:
    """The config of a new run that `muzero train ...` begins today."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("muzero", "train")
    game, options = split(words)
    preset = presets.load(game, asked_preset(options))
    return to_config(read(options, preset, game), game, preset.preset)


def told(name: str) -> str:
    """The command on an agent's card, with what stands behind it in brackets."""
    return str(json.loads((checkpoints.shipped()[name] / "card.json").read_text())["command"])


@pytest.mark.parametrize("name", sorted(checkpoints.shipped()))
def test_the_command_on_a_card_gives_its_settings(name: str) -> None:
    command, _, note = told(name).partition(" (")
    given, stored = settings(asked(command)), settings(checkpoint.read_config(checkpoints.shipped()[name]))
    if GONE in note:
        assert given != stored
    elif added := ADDED.search(note):
        assert given != stored
        assert settings(asked(f"{command} {added[1]}")) == stored
    else:
        assert given == stored, "say on the card which options today's preset needs"


@pytest.mark.parametrize("name", sorted(checkpoints.shipped()))
def test_a_card_reads_the_same_in_both_forms(name: str) -> None:
    assert f"| command | {told(name)} |" in (checkpoints.shipped()[name] / "README.md").read_text().splitlines()
