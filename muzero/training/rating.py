"""Evaluation matches during training: their opponent, and results in words and as metrics."""

from __future__ import annotations

import copy
from collections.abc import Callable

import games
from games.base import GameError
from muzero.agent import Agent
from muzero.config import Config, ConfigError
from muzero.players import SearchPlayer, parse
from muzero.training.interrupt import Interrupt
from muzero.training.state import RunState
from muzero.training.watched import Reported, Watched
from muzero.view.terminal import amount, interval, signed
from selfplay.players import Player
from selfplay.strength.arena import Score, move_limit, play_alone, play_match
from selfplay.strength.perfect import PerfectPlayer
from selfplay.strength.ratings import versus

SURE = 0.95
"""A score above this (or below 1 - SURE) gives only a bound: the value itself would depend on the prior."""


def opponent_of(config: Config) -> Player | None:
    """The opponent in matches during training; None without matches or in a one-player game. Raises ConfigError."""
    if config.train.evaluate_minutes == 0.0 or games.spec(config.game).players == 1:
        return None
    try:
        opponent = parse(config.train.evaluate_against, config.game, config.train.seed)
        if isinstance(opponent, PerfectPlayer):
            opponent.solve_start()
    except GameError as error:
        raise ConfigError(f"train.evaluate_against: {error}") from error
    return opponent


def play_newest(
    state: RunState, opponent: Player | None, interrupt: Interrupt, tell: Callable[[str], None]
) -> tuple[str, dict[str, float]]:
    """Play a short match with the newest weights; the result in words and as metrics. Doesn't use the run's random

    generators. opponent: None in a one-player game; tell: called with progress. Raises MatchLeftError.
    """
    train, step = state.config.train, state.learner.steps
    player = _newest(state, interrupt, tell)
    if opponent is None:
        solo = play_alone(state.config.game, player, train.evaluate_games, train.seed, train.evaluate_moves)
        words = f"mean return {amount(solo.mean, 2)} in {train.evaluate_games} games"
        values, cut, limit = {"evaluation/mean_return": solo.mean}, solo.cut, solo.max_moves
    else:
        match = play_match(state.config.game, player, opponent, train.evaluate_games, train.seed,
                           max_moves=train.evaluate_moves)
        words, values = verdict(match.total, opponent.name)
        cut, limit = match.cut, match.max_moves
    if cut:
        words += f" ({cut} cut off after {limit:,} moves)"
        values["evaluation/cut"] = float(cut)
    return f"{words} at step {step:,}", values


def _newest(state: RunState, interrupt: Interrupt, tell: Callable[[str], None]) -> Player:
    """The newest weights as a player who abandons the match once the run should stop."""
    train = state.config.train
    # Copy the model instead of making a new one: random initialisation would advance torch's generator, which is saved.
    model = copy.deepcopy(state.learner.averaged)
    watched = Watched(SearchPlayer(Agent(model, state.config, "newest", state.learner.steps)), interrupt)
    most = move_limit(state.replay.spec, train.evaluate_moves)
    return Reported(watched, train.evaluate_games, most, tell, train.log_seconds)


def verdict(score: Score, opponent: str) -> tuple[str, dict[str, float]]:
    """A match result in words and as metrics: the score, and the rating relative to the opponent.

    Ratings are in Elo, with the virtual draws of `selfplay.strength.ratings`; their 95 % interval is that of the score,
    with an infinite end if the score's is 0 or 1.
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
