"""Gymnasium observation spaces: the shape that a network sees, and how observations are converted to it.

Vectors are passed through symlog, sign(x) log(1 + |x|) (Hafner et al. 2023), as their ranges are often unbounded.
Gymnasium isn't imported here: a space is recognised by its attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from games.base import PIXEL_HIGH, GameError
from games.guard import shown

CHANNELS = 4
"""An axis of at most this size is taken for the channels: 1 grey, 3 colour, 4 with alpha or a stack."""
SMALLEST = 8
"""A 2-D array of bytes is a picture if both edges are at least this long."""
FLATTEN = "wrap the environment in gymnasium.wrappers.FlattenObservation, and register that"


@dataclass(frozen=True)
class Form:
    """How observations are converted."""

    shape: tuple[int, ...]
    dtype: Literal["uint8", "float32"]
    high: int
    """Largest usual entry, `GameSpec.observation_high`."""
    see: Callable[[Any], NDArray[Any]]
    """Converts an observation to a new array [*shape] of `dtype`. Raises GameError for one outside the space."""
    note: str = ""


def kind_of(space: Any) -> str:
    """The name of a space's class, or of the Gymnasium class that it derives from."""
    kinds = (kind for kind in type(space).__mro__ if kind.__module__.startswith("gymnasium.spaces."))
    return next(kinds, type(space)).__name__


def form_of(name: str, space: Any) -> Form:
    """The form of an observation space. Raises GameError with a remedy for an unsupported space."""
    kind = kind_of(space)
    if kind == "Discrete":
        return Form((int(space.n),), "uint8", 1, lambda seen: _one_of(space, seen))
    if kind == "MultiBinary":
        return _array(name, space, planes=True)
    if kind == "Box":
        return _array(name, space, planes=space.dtype == np.bool_ or (
            space.dtype == np.uint8 and bool(np.all(space.high <= 1))))
    raise GameError(f"{name}: expected observations of one array or one whole number (Box, Discrete, MultiBinary), got "
                    f"{space}; {FLATTEN}")


def _array(name: str, space: Any, planes: bool) -> Form:
    """planes: every entry is 0 or 1."""
    shape = tuple(int(size) for size in space.shape)
    if math.prod(shape) == 0 or len(shape) > 3:
        raise GameError(f"{name}: expected observations of 1 to 3 axes, none of them empty, got {space}; {FLATTEN}")
    pixels = space.dtype == np.uint8 and not planes
    if len(shape) < 2 or (len(shape) == 2 and not (pixels and min(shape) >= SMALLEST)):
        flat = (math.prod(shape),)
        # Older versions passed Boxes of 0 and 1 through symlog, and their agents were trained that way.
        if planes and kind_of(space) == "MultiBinary":
            return Form(flat, "uint8", 1, lambda seen: _fitting(space, seen, "b").reshape(flat).astype(np.uint8))
        return Form(flat, "float32", 1, lambda seen: symlog(_fitting(space, seen, "").reshape(flat)))
    order, note = _order(shape)
    seen_shape = tuple(shape[axis] for axis in order) if len(shape) == 3 else (1, *shape)

    def turned(seen: Any, kinds: str) -> NDArray[Any]:
        array = _fitting(space, seen, kinds)
        return (array.transpose(order) if len(shape) == 3 else array).reshape(seen_shape)

    if planes:
        return Form(seen_shape, "uint8", 1, lambda seen: turned(seen, "b").astype(np.uint8), note)
    if pixels:
        return Form(seen_shape, "uint8", PIXEL_HIGH, lambda seen: np.array(turned(seen, "u"), order="C"), note)
    return Form(seen_shape, "float32", 1, lambda seen: symlog(turned(seen, "")), note)


def _order(shape: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
    """The order of axes that makes a picture [channels, height, width]; and a note if the channels came first."""
    last_are = len(shape) < 3 or shape[2] <= CHANNELS or shape[2] <= min(shape[:2])
    if last_are or not (shape[0] <= CHANNELS or shape[0] < min(shape[1:])):
        return (2, 0, 1), ""
    return (0, 1, 2), f"pictures {list(shape)} are read as {shape[0]} channels of {shape[1]} x {shape[2]}"


def symlog(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """sign(x) log(1 + |x|) as float32."""
    wide = numbers.astype(np.float64)
    squashed: NDArray[np.float32] = (np.sign(wide) * np.log1p(np.abs(wide))).astype(np.float32)
    return squashed


def _one_of(space: Any, seen: Any) -> NDArray[np.uint8]:
    """A whole number as a one-hot vector."""
    number = np.asarray(seen)
    if number.size != 1 or number.dtype.kind not in "iu":
        raise GameError(f"expected an observation of {space}, got {shown(seen)}")
    place = int(number.item()) - int(space.start)
    if not 0 <= place < space.n:
        raise GameError(f"expected an observation of {space}, got {shown(seen)}")
    one = np.zeros(int(space.n), np.uint8)
    one[place] = 1
    return one


def _fitting(space: Any, seen: Any, kinds: str) -> NDArray[Any]:
    """An observation as an array, after checking its shape and dtype against the space.

    kinds: `u` bytes; `b` zeros and ones of any type; empty: any numbers.
    """
    array = np.asarray(seen)
    numbers = array.dtype.kind in "biuf" and (kinds != "u" or array.dtype == np.uint8)
    if array.shape != space.shape or not numbers:
        raise GameError(f"expected an observation of {space}, got {_told(array, seen)}")
    if kinds == "b" and not ((array == 0) | (array == 1)).all():
        odd = array[(array != 0) & (array != 1)][0]
        raise GameError(f"expected an observation of {space}, zeros and ones, got {odd}")
    return array


def _told(array: NDArray[Any], seen: Any) -> str:
    return f"{array.dtype} {list(array.shape)}" if isinstance(seen, np.ndarray) else shown(seen)
