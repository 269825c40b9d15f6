"""Legality heads by unroll depth: one that is right, one that is careless, and one that is a move late."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from counting_model import PILE, CountingModel, at_random, continued
from torch import Tensor

from muzero.validation.legality import imagined_legality, legality_report

SAMPLE = continued(after=at_random)
CERTAIN = 20.0


@dataclasses.dataclass
class Telling(CountingModel):
    """Says of a bare latent [B, PILE + 1], the pile, that one, two or three counters may be taken."""

    over: int = 0
    """counters that it believes to be there besides"""

    def legality(self, latent: Tensor) -> Tensor:
        pile = latent @ torch.arange(PILE + 1.0) + self.over
        return CERTAIN * (2.0 * (pile[:, None] >= torch.arange(1.0, 4.0)).float() - 1.0)


def test_a_head_that_is_right_keeps_no_illegal_action_and_loses_no_legal_one() -> None:
    found = legality_report(SAMPLE, imagined_legality(Telling(), SAMPLE), 0.1)  # type: ignore[arg-type]
    assert (found.accuracy == 1.0).all()
    assert np.nanmax(found.kept) == 0.0
    assert (found.lost == 0.0).all()


def test_one_that_believes_in_more_counters_keeps_what_is_illegal() -> None:
    found = legality_report(SAMPLE, imagined_legality(Telling(over=1), SAMPLE), 0.1)  # type: ignore[arg-type]
    one_left = SAMPLE.legal.sum(2) == 1
    assert one_left.any()
    assert np.nanmin(found.kept) >= 0.5
    assert (found.lost == 0.0).all()


def test_latents_that_are_wrong_are_seen_from_the_first_move_on() -> None:
    found = legality_report(SAMPLE, imagined_legality(Telling(forgetful=True), SAMPLE), 0.1)  # type: ignore[arg-type]
    assert found.accuracy[0] == 1.0
    assert found.lost[0] == 0.0
    assert found.lost[1] > 0.0


def test_shares_are_of_illegal_and_of_legal_actions_where_games_go_on() -> None:
    """Of position 0 the search keeps the most probable action, however improbable; position 1 is over after it."""
    sample = dataclasses.replace(
        SAMPLE, legal=np.array([[[True, False, False]] * 2, [[True, True, False]] * 2]),
        in_game=np.array([[True, True], [True, False]]))
    probability = np.array([[[0.04, 0.05, 0.01], [0.9, 0.2, 0.05]], [[0.6, 0.05, 0.4], [0.0, 0.0, 0.0]]], np.float32)
    found = legality_report(sample, probability, 0.1)
    np.testing.assert_allclose(found.accuracy, [4 / 6, 3 / 3])
    np.testing.assert_allclose(found.kept, [2 / 3, 1 / 2])
    np.testing.assert_allclose(found.lost, [2 / 3, 0.0])
