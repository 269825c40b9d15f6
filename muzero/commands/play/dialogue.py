"""The dialogue of a game in the terminal: executes typed lines and answers in text."""

from __future__ import annotations

from collections.abc import Callable

from games.base import GameError
from muzero.commands.play.refusals import listing, refusal
from muzero.commands.play.thoughts import best_moves, value_bar
from muzero.play import drawing
from muzero.play.board import OWN_SIGNS
from muzero.play.moves import legal_names, parse_move
from muzero.play.session import Session
from muzero.play.thoughts import Thought
from muzero.view.terminal import Ink

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
"""Short forms accepted once the game is over."""
OVER = "the game is over"


class Dialogue:
    """The dialogue of one session."""

    def __init__(self, session: Session, pen: Ink, fancy: bool) -> None:
        """fancy: whether Unicode can be shown."""
        self.session, self.pen, self.fancy = session, pen, fancy
        self.commands: dict[str, Callable[[], str]] = {
            "moves": self.list_moves, "hint": self.hint, "undo": self.undo, "swap": self.swap,
            "resign": self.resign, "board": self.picture, "?": self.help, "help": self.help,
        }

    def who(self, player: int) -> str:
        """A player's name in sentences."""
        session = self.session
        if player == session.person:
            return "you"
        return "muzero" if session.person is not None or session.spec.players == 1 else f"muzero {player + 1}"

    def picture(self) -> str:
        """The board, the newest stones marked."""
        return drawing.picture(self.session.position(), self.pen, self.fancy)

    def help(self) -> str:
        """The list of commands."""
        rows = {"a move": self._move_form(), **HELP}
        if self.session.spec.players == 1:
            del rows["swap"]
        return "\n".join(f"  {name:<12}{about}" for name, about in rows.items())

    def _move_form(self) -> str:
        """How moves of this game are written."""
        number = "the game's own text, or # and the number of an action (#12)"
        if self.session.spec.layout.kind == "columns":
            return f"the number of a column, or {number}"
        names = list(legal_names(self.session.games))
        return f"as listed by `moves`{f', such as `{names[0]}`' if names else ''}, or {number}"

    def legend(self) -> str:
        """Whose stones are which."""
        spec, board = self.session.spec, self.session.board()
        if spec.players == 1:
            return "one player"
        if board is None:
            signs = OWN_SIGNS.get(spec.name.partition("(")[0], ("player 0", "player 1"))
            return "   ".join(f"{sign}: {self.who(player)}" for player, sign in enumerate(signs))
        parts = []
        for player in (0, 1):
            about = board.drawing.legend[player]
            sign = drawing.stone(board.drawing, player, self.pen, self.fancy)
            parts.append(f"{sign} {self.who(player)}{f' ({about})' if about else ''}")
        return "   ".join(parts)

    def outcome(self) -> str:
        """How the game ended; empty while it goes on."""
        result = self.session.result()
        if result is None:
            return ""
        if result.kind == "cut":
            return f"Cut off after {result.moves:,} moves. Return of player 0: {result.returns[0]:g}."
        if result.kind == "over":
            return f"Game over. Return: {result.returns[0]:g}."
        if result.kind == "resigned":
            return "You resign. muzero wins."
        if result.winner is None:
            return "A draw."
        winner = self.who(result.winner)
        return "You win!" if winner == "you" else f"{winner} wins."

    def answer(self, text: str) -> tuple[bool, str]:
        """Execute one typed line: (whether it changed the game, the answer)."""
        session, typed = self.session, text.strip()
        if not typed:
            return False, ""
        action = None if session.over else parse_move(session.games, typed)
        if action is not None:
            session.play(action)
            return True, ""
        word = typed.lower()
        word = SHORT.get(word, word) if session.over else word
        if word == "again" and session.over:
            session.again()
            return True, ""
        if word in self.commands:
            return self._obey(self.commands[word])
        if session.over:
            return False, f"{OVER}: again, undo or quit"
        return False, refusal(session.games, session.board(), typed, HELP)

    def _obey(self, command: Callable[[], str]) -> tuple[bool, str]:
        before = self._state()
        said = command()
        return self._state() != before, said

    def _state(self) -> tuple[int, int | None, bool]:
        return self.session.moves, self.session.person, self.session.over

    def think(self) -> str:
        """Let the agent move, and say why."""
        thought = self.session.think()
        mover = self.pen(self.who(thought.player), "bold")
        return f"{mover} plays {self.pen(thought.name, 'bold')}\n{self._explain(thought)}"

    def _explain(self, thought: Thought) -> str:
        session, value = self.session, thought.value
        parts = [_indent(best_moves(thought.moves, self.fancy))]
        parts.append(f"  expects  {thought.line.text(self.fancy)}")
        if session.spec.players == 1:
            parts.append(f"  value    {value:+z.2f}")
        else:
            left = 0 if session.person is None else session.person
            names = self.who(left), self.who(1 - left)
            shown = value_bar(session.spec, value, names, thought.player == left, self.pen, self.fancy)
            parts.append(f"  value    {shown}")
        return "\n".join(parts)

    def list_moves(self) -> str:
        """All legal moves."""
        names = list(self.session.legal_moves)
        return OVER if self.session.over else f"  {listing(names, most=len(names))}"

    def hint(self) -> str:
        """The agent's analysis of the user's position."""
        if self.session.over:
            return OVER
        thought = self.session.hint()
        return f"muzero would play {self.pen(thought.name, 'bold')}\n{self._explain(thought)}"

    def undo(self) -> str:
        """Take back the user's last move, or the resignation."""
        undone = self.session.undo()
        return {
            "resignation": "you play on",
            "nothing": "nothing to undo",
            "impossible": f"{undone.name} can't be taken back: {self.session.spec.name} goes differently when replayed",
            "move": f"took back {undone.name}",
        }[undone.kind]

    def swap(self) -> str:
        """Swap sides."""
        try:
            self.session.swap()
        except GameError as error:
            return str(error)
        return f"sides changed: {self.legend()}"

    def resign(self) -> str:
        """Resign the game."""
        try:
            self.session.resign()
        except GameError as error:
            return str(error)
        return ""


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
