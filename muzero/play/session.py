"""One game between a person and an agent: its state and its commands. No terminal; every answer is text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameSpec, IntArray
from muzero.play import board as drawing
from muzero.play.moves import legal_names, listing, move_name, parse_move, refusal
from muzero.play.thoughts import best_moves, expected_line, value_bar
from muzero.players import repeats_of
from muzero.view.terminal import Ink
from selfplay.strength.arena import move_limit

if TYPE_CHECKING:
    from games.base import FloatArray, GameBatch, MaskArray
    from muzero.agent import Analysis
    from muzero.config import Config

HELP = {
    "moves": "list the legal moves",
    "hint": "what the agent would play for you, and why",
    "undo": "take back your last move",
    "swap": "change sides",
    "resign": "give up this game",
    "board": "show the board again",
    "quit": "leave (Ctrl-D too)",
    "at the end": "again (a), undo (u) or quit (q)",
}
SHORT = {"a": "again", "u": "undo"}
"""What may be typed for it once the game is over."""


class Thinker(Protocol):
    """What a session needs of `muzero.agent.Agent`."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> GameSpec: ...

    @property
    def config(self) -> Config: ...

    def see(self, batch: GameBatch) -> Any: ...

    def search(
        self, obs: Any, legal: MaskArray, *, simulations: int | None = None, seed: int = 0
    ) -> Analysis: ...

    def raw(self, obs: Any, legal: MaskArray) -> tuple[FloatArray, FloatArray]: ...


class Session:
    """A game, the moves so far, and who sits where."""

    def __init__(
        self, agent: Thinker, pen: Ink, fancy: bool, *, first: bool = True, watch: bool = False,
        simulations: int | None = None, seed: int = 0,
    ) -> None:
        self.agent, self.pen, self.fancy = agent, pen, fancy
        self.simulations, self._seed = simulations, seed
        self.games = engines.make(agent.spec.name, 1, seed)
        self.spec = self.games.spec
        self._rng = np.random.default_rng(seed)
        self._repeats = repeats_of(agent.spec, agent.config, seed)
        """Only where the agent plays alone: it moves in no other game of one player"""
        self._longest = move_limit(self.spec)
        self._past: list[tuple[int, dict[str, Any], str]] = []
        self._before: drawing.Board | None = None
        self.resigned = False
        opening = int(self.games.to_play()[0])
        self.person: int | None = None if watch else self._seat(opening, first)
        self.commands: dict[str, Callable[[], str]] = {
            "moves": self.list_moves, "hint": self.hint, "undo": self.undo, "swap": self.swap,
            "resign": self.resign, "board": self.picture, "?": self.help, "help": self.help,
        }

    def _seat(self, opening: int, first: bool) -> int:
        if self.spec.players == 1:
            return 0
        return opening if first else 1 - opening

    @property
    def over(self) -> bool:
        return self.resigned or self.to_play == NO_PLAYER or self.cut

    @property
    def cut(self) -> bool:
        """True once a game that nobody could stop is as long as a measured one may be."""
        return self.person is None and self.to_play != NO_PLAYER and len(self._past) >= self._longest

    @property
    def to_play(self) -> int:
        return int(self.games.to_play()[0])

    @property
    def agent_to_move(self) -> bool:
        return not self.over and self.to_play != self.person

    def who(self, player: int) -> str:
        """A player's name in sentences."""
        if player == self.person:
            return "you"
        return "muzero" if self.person is not None or self.spec.players == 1 else f"muzero {player + 1}"

    def picture(self) -> str:
        """The board, the newest stones marked."""
        text = self.games.render(0)
        board = drawing.read_board(self.spec.name, text)
        if board is None:
            lines = [*self._standing(), *self._clean(text).splitlines()]
            return "\n".join(f"  {line}" for line in lines)
        possible = set()
        if board.drawing.show_legal and not self.over:
            possible = {cell for name in legal_names(self.games) if (cell := board.cell(name)) is not None}
        return drawing.draw(board, self.pen, self.fancy, board.added(self._before), possible)

    def _standing(self) -> list[str]:
        """How far a game of one player is, which its own text may not say."""
        if self.spec.players != 1:
            return []
        return [f"step {len(self._past)}   return so far {self.games.returns()[0, 0]:g}"]

    def _clean(self, text: str) -> str:
        """A game's own text; control codes in it only where they are wanted."""
        return text if self.pen.on else re.sub(r"\x1b\[[0-9;]*m", "", text)

    def help(self) -> str:
        """What can be typed."""
        rows = {"a move": self._move_form(), **HELP}
        if self.spec.players == 1:
            del rows["swap"]
        return "\n".join(f"  {name:<12}{about}" for name, about in rows.items())

    def _move_form(self) -> str:
        """How moves of this game are written."""
        number = "the game's own text, or # and the number of an action (#12)"
        if self.spec.layout.kind == "columns":
            return f"the number of a column, {number}"
        names = list(legal_names(self.games))
        return f"as `moves` lists it{f', such as `{names[0]}`' if names else ''}; {number}"

    def legend(self) -> str:
        """Which stones are whose."""
        board = drawing.read_board(self.spec.name, self.games.render(0))
        if self.spec.players == 1:
            return "one player"
        if board is None:
            signs = drawing.OWN_SIGNS.get(self.spec.name.partition("(")[0], ("player 0", "player 1"))
            return "   ".join(f"{sign}: {self.who(player)}" for player, sign in enumerate(signs))
        parts = []
        for player in (0, 1):
            about = board.drawing.legend[player]
            sign = drawing.stone(board.drawing, player, self.pen, self.fancy)
            parts.append(f"{sign} {self.who(player)}{f' ({about})' if about else ''}")
        return "   ".join(parts)

    def outcome(self) -> str:
        """How the game ended."""
        if self.cut:
            return f"Cut after {len(self._past):,} moves. Return of player 0: {self.games.returns()[0, 0]:g}."
        if self.spec.players == 1:
            return f"The end. Return: {self.games.returns()[0, 0]:g}."
        if self.resigned:
            return "You resign. muzero wins."
        returns = self.games.returns()[0]
        if returns[0] == returns[1]:
            return "A draw."
        winner = self.who(int(returns.argmax()))
        return "You win!" if winner == "you" else f"{winner} wins."

    def play(self, action: int) -> None:
        """Play a legal action of the player to move."""
        self._past.append((self.to_play, self.games.snapshot(), move_name(self.games, action)))
        self._before = drawing.read_board(self.spec.name, self.games.render(0))
        actions: IntArray = np.array([action], np.int32)
        self.games.step(actions)

    def answer(self, text: str) -> tuple[bool, str]:
        """Obey one typed line: (did a move or a command change the game, what to say)."""
        typed = text.strip()
        if not typed:
            return False, ""
        action = None if self.over else parse_move(self.games, typed)
        if action is not None:
            self.play(action)
            return True, ""
        word = typed.lower()
        if self.over:
            word = SHORT.get(word, word)
            if word == "again":
                self.again()
                return True, ""
        command = self.commands.get(word)
        if command is not None:
            length, person, over = len(self._past), self.person, self.over
            said = command()
            return (len(self._past), self.person, self.over) != (length, person, over), said
        if self.over:
            return False, "the game is over: again, undo or quit"
        board = drawing.read_board(self.spec.name, self.games.render(0))
        return False, refusal(self.games, board, typed, HELP)

    def think(self) -> str:
        """Let the agent move, and say why."""
        analysis = self._search()
        action = self._chosen(analysis)
        mover = self.who(self.to_play)
        said = [f"{self.pen(mover, 'bold')} plays {self.pen(move_name(self.games, action), 'bold')}"]
        said.append(self._explain(analysis))
        self.play(action)
        return "\n".join(said)

    def _chosen(self, analysis: Analysis) -> int:
        """The move that the agent makes, as in a measured game."""
        found = analysis.result
        if self._repeats is None:
            return int(found.action[0])
        return int(self._repeats.choose(self.games, np.arange(1), found.action, found.policy, self.games.legal())[0])

    def _search(self) -> Analysis:
        seed = int(self._rng.integers(2**31))
        return self.agent.search(
            self.agent.see(self.games), self.games.legal(), simulations=self.simulations, seed=seed
        )

    def _explain(self, analysis: Analysis) -> str:
        value = float(analysis.result.value[0])
        parts = [_indent(best_moves(self.games, analysis, self.fancy))]
        parts.append(f"  expects  {expected_line(self.games, analysis.variations[0], self.fancy)}")
        if self.spec.players == 1:
            parts.append(f"  value    {value:+z.2f}")
        else:
            left = 0 if self.person is None else self.person
            names = self.who(left), self.who(1 - left)
            shown = value_bar(self.spec, value, names, self.to_play == left, self.pen, self.fancy)
            parts.append(f"  value    {shown}")
        return "\n".join(parts)

    def list_moves(self) -> str:
        """All legal moves."""
        if self.over:
            return "the game is over"
        names = list(legal_names(self.games))
        return f"  {listing(names, most=len(names))}"

    def hint(self) -> str:
        """The agent's own view of the person's position."""
        if self.over:
            return "the game is over"
        analysis = self._search()
        name = move_name(self.games, int(analysis.result.action[0]))
        return f"muzero would play {self.pen(name, 'bold')}\n{self._explain(analysis)}"

    def undo(self) -> str:
        """Back to before the person's last move (the agent's answers go too)."""
        if self.resigned:
            self.resigned = False
            return "you play on"
        own = [i for i, (player, _, _) in enumerate(self._past) if player == self.person]
        if not own:
            return "nothing to undo"
        _, snapshot, name = self._past[own[-1]]
        earlier = engines.make(self.spec.name, 1)
        if earlier.restore(snapshot):
            return f"{name} can't be taken back: played again, {self.spec.name} goes another way"
        del self._past[own[-1] :]
        self.games, self._before = earlier, None
        return f"took back {name}"

    def swap(self) -> str:
        """The person takes the other side."""
        if self.spec.players == 1 or self.person is None:
            return "nothing to swap here"
        if self.over:
            return "the game is over"
        self.person = 1 - self.person
        return f"sides changed: {self.legend()}"

    def resign(self) -> str:
        """Give the game up."""
        if self.over:
            return "the game is over"
        self.resigned = True
        return ""

    def again(self) -> None:
        """A new game with the same seats."""
        self.games.reset()
        self._past.clear()
        self._repeats = repeats_of(self.agent.spec, self.agent.config, self._seed)
        self._before, self.resigned = None, False


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
