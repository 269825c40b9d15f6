"""What a game's own code gives or raises against its word: an error that names game, row, move, what was expected and
what came; and the trial before a run, which finds it first."""

from __future__ import annotations

import dataclasses
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from tiny_runs import last, tiny

import games
from games.base import GameError, GameSpec
from games.guard import Guarded, text_of
from games.single import START_TRIES, Lockstep
from games.trial import NO_REPEAT, try_game
from muzero.cli import main
from muzero.storage import checkpoint
from muzero.training import loop

torch.set_num_threads(1)
SPEC = GameSpec(name="odd", players=2, observation_shape=(4,), observation_dtype="float32", num_actions=3, max_length=6,
                min_return=-6.0, max_return=6.0, alternates=True, stochastic=True, rewards_on_the_way=True)


class Fine:
    """Two players in turn; six moves."""

    spec: ClassVar[GameSpec] = SPEC

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator, self.made = generator, 0
        self.seen = np.zeros(4, np.float32)

    def to_play(self) -> Any:
        return self.made % 2

    def legal(self) -> Any:
        return [0, 1, 2]

    def step(self, action: int) -> Any:
        self.made += 1
        self.seen[0] = self.made / 6
        return 1.0

    def over(self) -> Any:
        return self.made >= 6

    def observe(self) -> Any:
        return self.seen

    def render(self) -> Any:
        return f"{self.made} moves"

    def action_name(self, action: int) -> str:
        return str(action)


class Panic(BaseException):
    """As engines raise it that are written in Rust."""


class Unsaid:
    """Has no text."""

    def __repr__(self) -> str:
        raise ValueError("no text")


class UnsaidError(Unsaid, Exception):
    __str__ = Unsaid.__repr__


class OnDevice:
    """A number that numpy can't have, as those in the memory of a GPU are."""

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise TypeError("not in this memory")


def later(method: str, answer: Any, **spec: Any) -> type[Fine]:
    """A game whose `method` gives `answer` from the third move on; an exception is raised."""
    def given(self: Fine, *arguments: Any) -> Any:
        usual = getattr(Fine, method)(self, *arguments)
        if self.made < (3 if method == "step" else 2):
            return usual
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return type("Broken", (Fine,), {method: given, "spec": dataclasses.replace(SPEC, **spec)})


def play(game: Callable[..., Any], moves: int = 6) -> None:
    """All that a batch asks, for some moves of two rows."""
    batch = Lockstep("odd", game, game.spec, 2, 0)  # type: ignore[attr-defined]
    for _ in range(moves):
        batch.observe()
        batch.legal()
        batch.render(1)
        batch.action_name(1, 0)
        batch.step(np.zeros(2, np.int32))


WRONG: list[tuple[str, Any, str]] = [
    ("step", None, r"step\(0\): expected a reward, one number, got None"),
    ("step", "1", r"step\(0\): expected a reward, one number, got str '1'"),
    ("step", np.ones(2), r"step\(0\): expected a reward, one number, got ndarray array\(\[1., 1.\]\)"),
    ("step", float("nan"), r"step\(0\): expected a finite reward, got nan"),
    ("step", float("-inf"), r"step\(0\): expected a finite reward, got -inf"),
    ("step", 1e300, r"step\(0\): expected a reward that float32 holds, got 1e\+300"),
    ("step", KeyError("order_book"),
     r"step\(0\) raised KeyError: 'order_book' \(line \d+ of .*test_guard.py\)$"),
    ("step", SystemExit(3), r"step\(0\) raised SystemExit: 3 \(line"),
    ("step", Panic("index"), r"step\(0\) raised Panic: index \(line"),
    ("step", OnDevice(), r"step\(0\) raised TypeError: not in this memory \(line"),
    ("legal", GeneratorExit(), r"legal\(\) raised GeneratorExit \(line"),
    ("step", Unsaid(), r"step\(0\): expected a reward, one number, got Unsaid <a Unsaid whose repr raises ValueError"),
    ("step", UnsaidError(), r"step\(0\) raised UnsaidError, whose text raises ValueError \(line"),
    ("to_play", 2, r"to_play\(\): expected player 0 or 1, got int 2"),
    ("to_play", -1, r"to_play\(\): expected player 0 or 1, got int -1"),
    ("to_play", None, r"to_play\(\): expected player 0 or 1, got None"),
    ("to_play", 1, r"to_play\(\) after step\(0\): expected player 0, as the spec says alternates=True, got player 1"),
    ("legal", [], r"legal\(\): expected at least one of whole numbers from 0 to 2, .*, got none"),
    ("legal", None, r"legal\(\): expected whole numbers from 0 to 2, the legal actions, got None$"),
    ("legal", [0, 3], r"legal\(\): expected whole numbers from 0 to 2, the legal actions, got list \[0, 3\]"),
    ("legal", [-1, 0], r"legal\(\): expected whole numbers from 0 to 2, the legal actions, got list \[-1, 0\]"),
    ("legal", np.ones(3, np.bool_), r"legal\(\): expected .*; of a mask, give np.flatnonzero\(mask\), got ndarray"),
    ("legal", [0.0], r"legal\(\): expected whole numbers from 0 to 2, the legal actions, got list \[0.0\]"),
    ("observe", None, r"observe\(\): expected an array of float32 \[4\], got None"),
    ("observe", np.zeros(4), r"observe\(\): expected float32 \[4\], got float64 \[4\]"),
    ("observe", np.zeros(5, np.float32), r"observe\(\): expected float32 \[4\], got float32 \[5\]"),
    ("observe", np.array([0, np.inf, 0, 0], np.float32), r"observe\(\): expected finite numbers, got inf at \[1\]"),
    ("observe", IndexError("x"), r"observe\(\) raised IndexError: x \(line"),
    ("over", ValueError("x"), r"over\(\) raised ValueError: x \(line"),
    ("render", RuntimeError("no window"), r"render\(\) raised RuntimeError: no window \(line"),
    ("action_name", LookupError("x"), r"action_name\(0\) raised LookupError: x \(line"),
]


@pytest.mark.parametrize(("method", "answer", "words"), WRONG, ids=lambda value: text_of(value)[:30])
def test_a_wrong_answer_is_an_error_that_says_where(method: str, answer: Any, words: str) -> None:
    with pytest.raises(GameError, match=r"^odd: row \d, move [23]: " + words) as caught:
        play(later(method, answer))
    if isinstance(answer, BaseException):
        assert caught.value.__cause__ is answer


def test_the_line_told_is_the_user_s_and_a_long_text_ends_at_a_word() -> None:
    def given(self: Any, action: int) -> Any:
        return textwrap.shorten(3, "word " * 100)  # type: ignore[arg-type]

    def spoken(self: Any, action: int) -> Any:
        raise ValueError("first line\nword" + " word" * 100)

    line = given.__code__.co_firstlineno + 1
    with pytest.raises(GameError, match=rf"step\(0\) raised AttributeError: .* \(line {line} of .*test_guard.py\)$"):
        play(type("Deep", (Fine,), {"step": given}))
    with pytest.raises(GameError, match=r"raised ValueError: first line word( word)+ \.\.\. \(line \d+ of [^ ]+\)$"):
        play(type("Long", (Fine,), {"step": spoken}))


def test_a_fine_game_is_left_alone() -> None:
    play(Fine)


@pytest.mark.parametrize("reward", [np.float32(0.5), np.array([0.5], np.float32), np.array(0.5), 1, True, np.int8(1)])
def test_one_number_is_a_reward_whatever_it_comes_in(reward: Any) -> None:
    batch = Lockstep("odd", later("step", reward), SPEC, 1, 0)
    paid = [batch.step(np.zeros(1, np.int32)).reward[0] for _ in range(4)]
    assert paid == [1.0, 1.0, float(np.asarray(reward).item()), float(np.asarray(reward).item())]


def test_a_player_who_does_not_exist_is_refused_for_one_player_too() -> None:
    with pytest.raises(GameError, match="expected player 0, got int 1"):
        play(later("to_play", 1, players=1, alternates=False))


END: dict[str, Any] = {"rewards_on_the_way": False, "min_return": 0.0, "max_return": 1.0, "players": 1,
                       "alternates": False}


@pytest.mark.parametrize(("paid", "words"), [
    ({3: 0.5}, r"move 3: step\(0\): expected a reward of 0 before the last move, .*rewards_on_the_way=False, got 0.5"),
    ({6: 1.5}, r"move 6: step\(0\): expected a return from min_return 0 to max_return 1 of the spec, got 1.5"),
    ({6: -1.0}, r"move 6: step\(0\): expected a return from min_return 0 to max_return 1 of the spec, got -1"),
])
def test_rewards_are_what_the_spec_promises_where_only_the_end_pays(paid: dict[int, float], words: str) -> None:
    class Payer(Fine):
        spec = dataclasses.replace(SPEC, **END)

        def to_play(self) -> int:
            return 0

        def step(self, action: int) -> float:
            super().step(action)
            return paid.get(self.made, 0.0)

    with pytest.raises(GameError, match=words):
        play(Payer)


def test_the_array_of_an_observation_may_be_used_again() -> None:
    """`Fine` writes every position into one array."""
    batch = Lockstep("odd", Fine, SPEC, 2, 0)
    before = batch.observe()
    batch.step(np.zeros(2, np.int32))
    assert before[:, 0].tolist() == [0.0, 0.0]


def test_a_list_of_moves_that_changes_later_changes_nothing() -> None:
    moves = [0, 1]
    guarded = Guarded(later("legal", moves)(np.random.default_rng(0)), SPEC, 0)
    for _ in range(2):
        guarded.step(0)
    assert guarded.legal().tolist() == [True, True, False]
    moves.append(2)
    assert guarded.legal().tolist() == [True, True, False]


# --- starts that are over -----------------------------------------------------------------------------------------


class OverStart(Fine):
    """Two starts in three are over before a move."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.made = 6 if generator.random() < 2 / 3 else 0
        self.seen[3] = generator.random()


def test_a_start_that_is_over_is_drawn_anew_and_comes_back_with_a_snapshot() -> None:
    batch = Lockstep("odd", OverStart, SPEC, 8, 0)
    assert (batch.to_play() == 0).all()
    batch.reset(np.arange(8) < 4)
    batch.step(np.zeros(8, np.int32))
    assert not (batch.observe()[:, 3] == 0).any()
    other = Lockstep("odd", OverStart, SPEC, 8, 5)
    other.restore(batch.snapshot())
    assert (other.observe() == batch.observe()).all()
    for one in (batch, other):
        one.reset()
    assert (other.observe() == batch.observe()).all()


def test_a_game_all_of_whose_starts_are_over_is_refused() -> None:
    with pytest.raises(GameError, match=f"row 0: expected a start position with a move to make, got {START_TRIES}"):
        play(type("Never", (Fine,), {"over": lambda self: True}))


def test_a_game_that_cannot_be_begun_says_so() -> None:
    def fails(generator: np.random.Generator) -> Any:
        raise OSError("no display")

    with pytest.raises(GameError, match=r"odd: row 0: a new game raised OSError: no display \(line"):
        Lockstep("odd", fails, SPEC, 2, 0)


# --- environments -------------------------------------------------------------------------------------------------


class Odd(gymnasium.Env[Any, Any]):
    """Sees and pays what its class says from the second move on."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    observation_space: Any = Box(-1.0, 1.0, (3,), np.float32)
    action_space: Any = Discrete(2)
    first: ClassVar[Any] = np.zeros(3, np.float32)
    then: ClassVar[Any] = (np.zeros(3, np.float32), 1.0, False, False, {})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.moves = 0
        return self.first, {}

    def step(self, action: Any) -> Any:
        self.moves += 1
        return (self.first, 1.0, False, False, {}) if self.moves == 1 else self.then


@pytest.fixture
def odd() -> Iterator[Callable[..., str]]:
    """Registers an environment of the given attributes, and gives the game's name."""
    names: list[str] = []

    def register(**attributes: Any) -> str:
        names.append(f"Odd{random.getrandbits(60)}-v0")
        gymnasium.register(names[-1], type("Odder", (Odd,), attributes), disable_env_checker=True)
        return f"gym/{names[-1]}"

    yield register
    for name in names:
        del gymnasium.registry[name]


def step_on(name: str, moves: int = 3) -> games.GameBatch:
    batch = games.make(name, 2, 0)
    for _ in range(moves):
        batch.observe()
        batch.step(np.zeros(2, np.int32))
    return batch


@pytest.mark.parametrize(("then", "words"), [
    (None, r"the environment's step\(\): expected \(observation, reward, terminated, truncated, info\), got None"),
    ((0, 1.0, False, {}), r"expected \(observation, reward, terminated, truncated, info\), got 4 values"),
    ((np.zeros(4, np.float32), 1.0, False, False, {}), r"expected an observation of Box\(.*, got float32 \[4\]"),
    ((None, 1.0, False, False, {}), r"expected an observation of Box\(.*, got None"),
    ((np.zeros(3, np.float32), None, False, False, {}), r"expected a reward, one number, got None"),
    ((np.full(3, np.nan, np.float32), 1.0, False, False, {}), r"expected finite numbers, got nan at \[0\]"),
])
def test_an_environment_that_breaks_its_word_is_told_apart(odd: Callable[..., str], then: Any, words: str) -> None:
    with pytest.raises(GameError, match=r"^gym/Odd\d+-v0: row 0, move [23]: .*" + words):
        step_on(odd(then=then))


@pytest.mark.parametrize(("space", "first", "words"), [
    (Discrete(5), 5, r"expected an observation of Discrete\(5\), got int 5"),
    (Discrete(5), -1, r"expected an observation of Discrete\(5\), got int -1"),
    (MultiBinary(3), np.array([0, 2, 1], np.int8), r"zeros and ones, got 2"),
    (Box(0, 255, (9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.float32), r"got float32 \[9, 9, 3\]"),
])
def test_observations_outside_their_space_are_refused(
    odd: Callable[..., str], space: Any, first: Any, words: str
) -> None:
    with pytest.raises(GameError, match=words):
        step_on(odd(observation_space=space, first=first))


def test_a_space_of_ones_own_kind_is_what_it_derives_from(odd: Callable[..., str]) -> None:
    kinds = {name: type(f"My{kind.__name__}", (kind,), {}) for name, kind in (("a", Discrete), ("o", Box))}
    spec = games.spec(odd(action_space=kinds["a"](5), observation_space=kinds["o"](-1.0, 1.0, (3,), np.float32)))
    assert (spec.num_actions, spec.observation_shape) == (5, (3,))


@pytest.mark.parametrize("name", ["action_space", "observation_space", "close"])
def test_an_environment_that_can_not_be_looked_at_says_so(odd: Callable[..., str], name: str) -> None:
    def fails(self: Any) -> Any:
        raise Panic("not ready")

    broken = odd(**{name: fails if name == "close" else property(fails)})
    with pytest.raises(GameError, match=rf"^{broken}: its spaces, then close\(\) raised Panic: not ready"):
        games.spec(broken)


@pytest.mark.parametrize("over", ["False", np.nan, 2, np.zeros(2, np.bool_)], ids=str)
@pytest.mark.parametrize("which", ["terminated", "truncated"])
def test_only_yes_or_no_tells_that_an_episode_is_over(odd: Callable[..., str], over: Any, which: str) -> None:
    then = [np.zeros(3, np.float32), 1.0, False, False, {}]
    then[2 if which == "terminated" else 3] = over
    with pytest.raises(GameError, match=rf"row 0, move 2: step\(0\): {which}: expected True or False, got "):
        step_on(odd(then=tuple(then)))


@pytest.mark.parametrize("over", [True, np.True_, 1, np.array([True]), np.array(1.0)], ids=repr)
def test_yes_may_come_in_any_form_and_nothing_is_no(odd: Callable[..., str], over: Any) -> None:
    batch = step_on(odd(then=(np.zeros(3, np.float32), 1.0, over, False, {})), 2)
    assert (batch.to_play() == games.NO_PLAYER).all()
    step_on(odd(then=(np.zeros(3, np.float32), 1.0, False, None, {})), 3)


FORMS: list[tuple[Any, Any, tuple[int, ...], Any]] = [
    (Discrete(4, start=2), 3, (4,), [0, 1, 0, 0]),
    (MultiBinary(3), np.array([1, 0, 1], np.int8), (3,), [1, 0, 1]),
    (MultiBinary((2, 2)), np.eye(2, dtype=np.int8), (4,), [1, 0, 0, 1]),
    (Box(-1, 1, (), np.float32), np.float32(1.0), (1,), [np.log(2)]),
    (Box(-1, 1, (2, 2), np.float32), np.ones((2, 2), np.float32), (4,), [np.log(2)] * 4),
    (Box(0, 1, (9, 8, 2), np.bool_), np.ones((9, 8, 2), np.bool_), (2, 9, 8), np.ones((2, 9, 8))),
    (Box(0, 1, (9, 8, 2), np.uint8), np.ones((9, 8, 2), np.uint8), (2, 9, 8), np.ones((2, 9, 8))),
    (Box(0, 255, (9, 8), np.uint8), np.full((9, 8), 7, np.uint8), (1, 9, 8), np.full((1, 9, 8), 7)),
    (Box(0, 255, (3, 9, 8), np.uint8), np.full((3, 9, 8), 7, np.uint8), (3, 9, 8), np.full((3, 9, 8), 7)),
    (Box(-1, 1, (9, 8, 2), np.float32), np.ones((9, 8, 2), np.float32), (2, 9, 8), np.full((2, 9, 8), np.log(2))),
]


@pytest.mark.parametrize(("space", "first", "shape", "seen"), FORMS, ids=lambda value: str(value)[:24])
def test_each_space_of_one_array_has_a_form(
    odd: Callable[..., str], space: Any, first: Any, shape: tuple[int, ...], seen: Any
) -> None:
    name = odd(observation_space=space, first=first)
    assert games.spec(name).observation_shape == shape
    assert step_on(name, 1).observe()[0] == pytest.approx(np.array(seen))
    high = 255 if space.dtype == np.uint8 and space.high.max() == 255 else 1
    assert games.spec(name).observation_high == high
    try_game(odd(observation_space=space, first=first, then=(first, 0.0, False, False, {})), steps=20)


def test_channels_are_told_where_they_were_found_first(odd: Callable[..., str]) -> None:
    space = Box(0, 255, (3, 48, 40), np.uint8)
    picture = np.arange(3 * 48 * 40).reshape(3, 48, 40).astype(np.uint8)
    name = odd(observation_space=space, first=picture, then=(picture, 0.0, False, False, {}))
    assert (step_on(name, 1).observe()[0] == picture).all()
    assert try_game(name, steps=3) == ["pictures [3, 48, 40] are read as 3 channels of 48 x 40"]


@pytest.mark.parametrize(("attributes", "words"), [
    ({"observation_space": Dict({"a": Discrete(2)})}, r"got Dict\(.*FlattenObservation"),
    ({"observation_space": MultiDiscrete([2, 2])}, r"got MultiDiscrete\(.*FlattenObservation"),
    ({"observation_space": Box(0, 1, (2, 2, 2, 2))}, r"1 to 3 axes, .* got Box\(.*FlattenObservation"),
    ({"observation_space": None}, "expected a Gymnasium space as observation_space, got NoneType"),
    ({"action_space": None}, "expected a Gymnasium space as action_space, got NoneType"),
    ({"action_space": MultiBinary(2)}, r"expected discrete actions \(Discrete\), got MultiBinary\(2\)"),
    ({"__init__": lambda self: {}["port"]}, r"^gym/Odd[^ ]* raised KeyError: 'port' \(line"),
])
def test_what_has_no_form_is_refused_with_the_mend(
    odd: Callable[..., str], attributes: dict[str, Any], words: str
) -> None:
    with pytest.raises(GameError, match=words):
        games.spec(odd(**attributes))


def test_an_environment_may_write_all_its_observations_into_one_array(odd: Callable[..., str]) -> None:
    shared = np.zeros(3, np.float32)

    def step(self: Odd, action: Any) -> Any:
        shared[0] += 1.0
        return shared, 0.0, False, False, {}

    batch = games.make(odd(first=shared, step=step), 2, 0)
    batch.step(np.zeros(2, np.int32))
    assert batch.observe()[:, 0] == pytest.approx(np.log1p([1.0, 2.0])), "each row has what it was given"


def test_a_number_of_many_takes_no_table() -> None:
    from games.gym_spaces import form_of

    form = form_of("gym/many", Discrete(10_000_000))
    assert form.see(9_999_999).nonzero()[0].tolist() == [9_999_999]


# --- the trial before a run ---------------------------------------------------------------------------------------

SOURCE = '''
import dataclasses, random
import numpy as np
from games.examples.subtraction import Subtraction

class Twice(Subtraction):
    def to_play(self):
        return (self.pile // 2) % 2

class Short(Subtraction):
    spec = dataclasses.replace(Subtraction.spec, max_length=3)

class Large(Subtraction):
    spec = dataclasses.replace(Subtraction.spec, observation_dtype="float32")
    def observe(self):
        return super().observe().astype(np.float32) * 100

class Wordless(Subtraction):
    def render(self):
        return "counters: " + self.pile

class Chance(Subtraction):
    def __init__(self, generator):
        super().__init__(generator)
        self.pile = random.randrange(12, 22)

class Late(Subtraction):
    made = 0
    def step(self, action):
        Late.made += 1
        if Late.made > 140:
            raise KeyError("order_book")
        return super().step(action)
'''


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    (tmp_path / "mine.py").write_text(SOURCE)
    return lambda kind: f"{tmp_path / 'mine.py'}:{kind}"


@pytest.mark.parametrize(("kind", "words"), [
    ("Twice", "as the spec says alternates=True, got player"), ("Short", "a game is longer than max_length"),
])
def test_a_run_on_a_game_that_breaks_its_word_is_not_begun(
    own: Callable[[str], str], kind: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", own(kind), "--out", str(out), "--train.actors", "0", "--steps", "2"]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "found by random play before the run; docs/guides/own_game.md" in said
    assert not out.exists()


def test_what_makes_a_run_harder_is_told(own: Callable[[str], str]) -> None:
    assert try_game(own("Chance")) == [NO_REPEAT]
    (remark,) = try_game(own("Large"))
    assert remark.startswith("observe() is far outside the range that the spec states, observation_high=1")
    (remark,) = try_game(own("Wordless"))
    assert re.search(r"render\(\) raised TypeError: .*; it can be trained on, but nobody can play it", remark)
    assert try_game("games.examples.subtraction:Subtraction") == []
    assert try_game("gym/CartPole-v1") == []


def test_the_trial_draws_nothing_from_generators_that_all_share(own: Callable[[str], str]) -> None:
    before = random.getstate(), np.random.get_state(legacy=False)["state"]["pos"], torch.get_rng_state()
    try_game(own("Chance"))
    assert random.getstate() == before[0]
    assert np.random.get_state(legacy=False)["state"]["pos"] == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_the_trial_ends_in_time() -> None:
    ticks: Iterator[float] = iter(range(100))
    try_game("games.examples.subtraction:Subtraction", seconds=5.0, clock=lambda: next(ticks))
    assert next(ticks) == 6
    try_game("tic_tac_toe", clock=lambda: next(ticks))
    assert next(ticks) == 7, "games that come with the project aren't tried"


def test_a_game_that_breaks_off_in_the_middle_of_a_run_loses_nothing(
    own: Callable[[str], str], tmp_path: Path
) -> None:
    config = tiny(game=own("Late"), train__steps=10_000, train__evaluate_minutes=0.0)
    with pytest.raises(GameError, match=r"Late: row \d, move \d+: step\(\d\) raised KeyError") as caught:
        loop.run(config, tmp_path / "run")
    assert isinstance(caught.value.__cause__, KeyError)
    assert checkpoint.load(last(tmp_path / "run")).step > 0
