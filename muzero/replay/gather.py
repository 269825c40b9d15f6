"""Gather loops: copy rows of a ring buffer into a batch, each transformed by a symmetry; compiled by numba.

The loops release the interpreter lock (GIL): a batch is assembled while another thread computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.compiled import compiled

Numbers = NDArray[Any]
Places = NDArray[np.int64]
Index = NDArray[np.integer[Any]]


@compiled
def _copy(row: Numbers, out: Numbers) -> None:
    """row [F] -> out [F]. `out[:] = row` takes four times as long, as numba doesn't compile it to a memcpy."""
    for i in range(len(out)):
        out[i] = row[i]


@compiled
def rows(ring: Numbers, places: Places, out: Numbers) -> None:
    """ring [n, F], places [B, K] -> out [B, K, F]."""
    for b in range(places.shape[0]):
        for k in range(places.shape[1]):
            _copy(ring[places[b, k]], out[b, k])


@compiled
def stacked_rows(ring: Numbers, places: Places, frames: int, out: Numbers) -> None:
    """Each place's row, preceded by those of the `frames` - 1 places before it: ring [n, F], places [B, K] -> out
    [B, K, frames, F]."""
    for b in range(places.shape[0]):
        for k in range(places.shape[1]):
            for f in range(frames):
                _copy(ring[(places[b, k] - (frames - 1) + f) % len(ring)], out[b, k, f])


@compiled
def _shifted(picture: Numbers, down: int, right: int, out: Numbers) -> None:
    """picture [H, W] shifted by less than its size, edges repeated -> out [H, W]: copies all lines, then fills the
    edges, which is five times as fast as pixel by pixel."""
    height, width = picture.shape
    offset = down * width + right
    source, moved = picture.reshape(-1)[max(-offset, 0) :], out.reshape(-1)[max(offset, 0) :]
    count = min(len(source), len(moved))
    _copy(source[:count], moved[:count])
    for y in range(max(down, 0), height + min(down, 0)):
        for x in range(right):
            out[y, x] = picture[y - down, 0]
        for x in range(width + right, width):
            out[y, x] = picture[y - down, width - 1]
    for y in range(down):
        out[y] = out[down]
    for y in range(height + down, height):
        out[y] = out[height + down - 1]


@compiled
def shifted_frames(ring: Numbers, places: Places, frames: int, moved: Places, out: Numbers) -> None:
    """`stacked_rows` for pictures shifted by moved[b, k] = (down, right), edges repeated: ring [n, C, H, W], places
    [B, K], moved [B, K, 2] -> out [B, K, frames, C, H, W]."""
    size, channels, height, width = ring.shape
    for b in range(places.shape[0]):
        for k in range(places.shape[1]):
            # A picture shifted out of sight shows only its edge, just like one shifted by all but one line.
            down = min(max(moved[b, k, 0], 1 - height), height - 1)
            right = min(max(moved[b, k, 1], 1 - width), width - 1)
            for f in range(frames):
                place = (places[b, k] - (frames - 1) + f) % size
                for c in range(channels):
                    _shifted(ring[place, c], down, right, out[b, k, f, c])


@compiled
def transformed_rows(ring: Numbers, places: Places, index: Index, chosen: Places, out: Numbers) -> None:
    """out[b, k, i] = ring[places[b, k], index[chosen[b], i]]: ring [n, F], index [symmetries, F], out [B, K, F]."""
    for b in range(places.shape[0]):
        order = index[chosen[b]]
        for k in range(places.shape[1]):
            row = ring[places[b, k]]
            for i in range(len(order)):
                out[b, k, i] = row[order[i]]


@compiled
def transform_actions(action: Places, index: Index, chosen: Places) -> None:
    """Map actions [B, K] in place: b becomes the a with index[chosen, a] = b."""
    new = np.empty(index.shape[1], dtype=np.int64)
    for b in range(action.shape[0]):
        order = index[chosen[b]]
        for a in range(len(order)):
            new[order[a]] = a
        for k in range(action.shape[1]):
            action[b, k] = new[action[b, k]]


@compiled
def mix_values(
    value: Numbers, searched: Numbers, places: Places, root_value: Numbers, kept: np.float32, share: np.float32
) -> None:
    """value [B, K+1] in place: where searched [B, K+1], `kept` of it plus `share` of the search's value at the place.
    """
    for b in range(value.shape[0]):
        for k in range(value.shape[1]):
            if searched[b, k]:
                value[b, k] = kept * value[b, k] + share * root_value[places[b, k]]
