"""Films of games of pixels (.mp4, .gif), with value and policy next to the frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from muzero.errors import MuZeroError
from muzero.play.viewing import Viewing
from muzero.storage.disk import TEMPORARY
from muzero.view.film import Picture, picture
from muzero.view.waiting import Say, Ticker, silent

FRAMES_A_SECOND = 15
"""The number of moves per second in Atari."""
LONGEST = 10_000
"""Most moves filmed: eleven minutes."""


class FilmError(MuZeroError):
    """A film that can't be written; the message names the file and the reason."""


@dataclass(frozen=True)
class FilmReport:
    """One game on film."""

    file: Path
    moves: int
    score: float
    over: bool
    """False if the film ended after `LONGEST` moves, before the game"""
    cut_short: bool
    """True if the move limit cut off the game"""
    limit: int
    """moves after which the game was cut off"""


def record(viewing: Viewing, path: Path, say: Say = silent) -> FilmReport:
    """Play and film one game. Raises FilmError if it can't be written."""
    say(f"filming one game to {path} ...")
    write(path, film(viewing, say))
    return FilmReport(path, len(viewing.values), viewing.score, viewing.over, viewing.cut_short, viewing.limit)


def film(viewing: Viewing, say: Say = silent) -> Iterator[Picture]:
    """A picture before each move, until the game is over; reports progress now and then."""
    ticker = Ticker("filming:", say)
    while not viewing.over and len(viewing.values) < LONGEST:
        analysis = viewing.think()
        yield picture(viewing.scene(analysis))
        viewing.step(analysis)
        ticker.tell(f"move {len(viewing.values):,}, score {viewing.score:g}")


def write(path: Path, moments: Iterator[Picture]) -> None:
    """Write the film atomically. Raises FilmError if it can't be written."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        (_write_gif if path.suffix.lower() == ".gif" else _write_mp4)(temporary, moments)
        temporary.replace(path)
    except OSError as error:
        raise FilmError(f"the film {path} could not be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_mp4(path: Path, moments: Iterator[Picture]) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as file:
        first = next(moments)
        stream = file.add_stream("libx264", rate=FRAMES_A_SECOND, pix_fmt="yuv420p")
        stream.height, stream.width = first.shape[:2]
        for moment in chain([first], moments):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(moment, format="rgb24")))
        file.mux(stream.encode())


def _write_gif(path: Path, moments: Iterator[Picture]) -> None:
    from PIL import Image

    frames = (Image.fromarray(moment).quantize(64) for moment in moments)
    first = next(frames)
    first.save(path, "GIF", save_all=True, append_images=frames, duration=10 * round(100 / FRAMES_A_SECOND), loop=0)
