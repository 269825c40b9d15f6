"""Safetensors files: written block by block, read only after checking the header.

Not written with the library, as a checkpoint is hashed while it is written, without a second copy of the replay
buffer. Layout: 8 bytes little-endian header length, JSON header, data without gaps.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from muzero.storage.disk import CheckpointError, Damaged, check_parts, open_regular, parse_json

Array = Tensor | NDArray[Any]

HEADER_LIMIT = 1 << 24
"""Largest header that is accepted, in bytes."""
ENTRY_LIMIT = 1 << 9
"""Most header bytes per tensor."""
ENTRY_PARTS = 8
"""Lists, objects and strings in the header entry of one tensor."""
ALIGNMENT = 8
"""Data starts at a multiple of this many bytes: the width of the widest dtype."""

_TORCH_NAMES = {
    torch.float64: "F64", torch.int64: "I64", torch.uint64: "U64",
    torch.float32: "F32", torch.int32: "I32", torch.uint32: "U32",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.int16: "I16", torch.uint16: "U16",
    torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}
_NUMPY_NAMES = {
    np.dtype(kind): name
    for kind, name in {
        "<f8": "F64", "<i8": "I64", "<u8": "U64", "<f4": "F32", "<i4": "I32", "<u4": "U32", "<f2": "F16",
        "<i2": "I16", "<u2": "U16", "i1": "I8", "u1": "U8", "?": "BOOL",
    }.items()
}
_BYTES = {name: dtype.itemsize for dtype, name in _TORCH_NAMES.items()}


@dataclass(frozen=True)
class Encoded:
    """A file ready to be written. The arrays are read at that time: don't modify them until then."""

    header: bytes
    arrays: tuple[Array, ...]
    """in the order of the data"""
    size: int
    """bytes of the whole file"""

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The bytes of the file, one tensor at a time."""
        yield self.header
        for array in self.arrays:
            yield _flat_bytes(array)


def encode(name: str, arrays: Mapping[str, Array]) -> Encoded:
    """The safetensors form of `arrays`. Raises CheckpointError for a dtype or name that it can't hold."""
    names = {key: _dtype_name(f"{name}: {key}", array) for key, array in arrays.items()}
    # Wide dtypes first, so that each tensor is aligned to its own width.
    order = sorted(arrays, key=lambda key: (-_BYTES[names[key]], key))
    header: dict[str, Any] = {}
    end = 0
    for key in order:
        if key == "__metadata__":
            raise CheckpointError(f"{name}: {key} is reserved in safetensors files; choose another name for the tensor")
        shape = list(arrays[key].shape)
        start, end = end, end + math.prod(shape) * _BYTES[names[key]]
        header[key] = {"dtype": names[key], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    prefix = struct.pack("<Q", len(text)) + text
    return Encoded(prefix, tuple(arrays[key] for key in order), len(prefix) + end)


def _dtype_name(where: str, array: Array) -> str:
    name = _TORCH_NAMES.get(array.dtype) if isinstance(array, Tensor) else _NUMPY_NAMES.get(array.dtype)
    if name is None:
        raise CheckpointError(f"{where}: dtype {array.dtype} can't be saved; known: {', '.join(_BYTES)}")
    return name


def _flat_bytes(array: Array) -> memoryview:
    if isinstance(array, Tensor):
        flat = array.detach().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().data
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def read(path: Path, *, size: int, most: int) -> dict[str, Tensor]:
    """The tensors, at most `most`, of a file of `size` bytes, in their own memory. Raises Damaged."""
    _check_header(path, size, most)
    try:
        with safe_open(path, framework="pt") as source:
            # Clone: the library's tensors are memory-mapped, and the file may be deleted or replaced later.
            return {key: source.get_tensor(key).clone() for key in source.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError, OverflowError) as error:
        raise Damaged(f"{path.name} is not a safetensors file: {error}") from None


def _check_header(path: Path, size: int, most: int) -> None:
    with open_regular(path, limit=size) as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise Damaged(f"{path.name}: expected a safetensors file, got only {len(prefix)} bytes")
        (length,) = struct.unpack("<Q", prefix)
        limit = min(HEADER_LIMIT, size - 8)
        if length > limit:
            raise Damaged(f"{path.name}: expected a header of at most {limit:,} bytes, got {length:,}")
        text = file.read(length)
    name, parts = f"the header of {path.name}", ENTRY_PARTS * (most + 1)
    check_parts(text, name, parts)
    if length > ENTRY_LIMIT * (most + 1):
        raise Damaged(f"{name}: expected at most {ENTRY_LIMIT * (most + 1):,} bytes for {most:,} tensors, "
                      f"got {length:,}")
    header = parse_json(text, name, parts=parts)
    if not isinstance(header, dict):
        raise Damaged(f"the header of {path.name}: expected an object, got {type(header).__name__}")
    if len(header) > most + 1:
        raise Damaged(f"{path.name}: expected at most {most:,} tensors, got {len(header):,}")
    for key, entry in header.items():
        if key != "__metadata__":
            _check_entry(f"{path.name}: tensor {key[:80]!r}", entry)


def _check_entry(where: str, entry: Any) -> None:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(dtype, str) or dtype not in _BYTES:
        raise Damaged(f"{where}: expected a dtype of {', '.join(_BYTES)}, got {str(dtype)[:40]}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(type(extent) is int and extent >= 0 for extent in shape):
        raise Damaged(f"{where}: expected a shape of whole numbers, got {str(shape)[:80]}")
    # The other extents of an empty tensor may be anything: their product must still fit torch's integers.
    if len(shape) > 16 or math.prod(max(extent, 1) for extent in shape) > 1 << 60:
        raise Damaged(f"{where}: expected a shape that a tensor can have, got {str(shape)[:80]}")


def not_finite(tensors: Mapping[str, Array]) -> str | None:
    """The name of the first tensor that holds NaN or infinity."""
    for key, array in tensors.items():
        tensor = array if isinstance(array, Tensor) else torch.from_numpy(np.array(array))
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return key
    return None


def other_dtype(tensors: Mapping[str, Array], allowed: frozenset[str]) -> str | None:
    """The first tensor, with its dtype, whose dtype is not in `allowed` (safetensors names)."""
    for key, array in tensors.items():
        if _dtype_name(key, array) not in allowed:
            return f"{key} ({array.dtype})"
    return None
