"""What a match during training says of the agent: in words for people, in numbers for curves."""

from __future__ import annotations

from muzero.view.terminal import interval, signed
from selfplay.strength.arena import Score
from selfplay.strength.ratings import versus

SURE = 0.95
"""A score above it (or below 1 - SURE) says no more than a bound: the value itself would hang on the prior."""


def verdict(score: Score, opponent: str) -> tuple[str, dict[str, float]]:
    """A match in words, and as metrics: the score, and the rating over the opponent, who has 0.

    Ratings are in Elo, with the virtual draws of `selfplay.strength.ratings`; their 95 % interval is that of the score,
    with an infinite end where the score's is 0 or 1.
    """
    rating = versus(score.wins, score.draws, score.losses)
    if score.share > SURE:
        told = f">= {signed(rating.low)}"
    elif score.share < 1.0 - SURE:
        told = f"<= {signed(rating.high)}"
    else:
        told = f"{signed(rating.value)} (95 % {interval(rating.low, rating.high)})"
    words = f"rating {told} over {opponent}, {score.wins} won, {score.draws} drawn, {score.losses} lost"
    return words, {
        "evaluation/score": score.share, "evaluation/rating": rating.value, "evaluation/rating_low": rating.low,
        "evaluation/rating_high": rating.high,
    }
