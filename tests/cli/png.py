"""Just enough of PNG to see what a browser drew: 8 bits a channel, not interlaced. https://www.w3.org/TR/png/"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_png(path: Path) -> NDArray[np.uint8]:
    """The picture, uint8 (height, width, channels)."""
    data = path.read_bytes()
    at, body = 8, b""
    width = height = channels = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, bits, colour, *_, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert bits == 8 and not interlaced
            channels = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            body += chunk
        at += size + 12
    lines = np.frombuffer(zlib.decompress(body), dtype=np.uint8).reshape(height, 1 + width * channels)
    before = [0] * (width * channels)
    rows = []
    for line in lines:
        before = _unfilter(int(line[0]), line[1:].tolist(), before, channels)
        rows.append(before)
    return np.asarray(rows, dtype=np.uint8).reshape(height, width, channels)


def _unfilter(kind: int, row: list[int], above: list[int], step: int) -> list[int]:
    """Section 9 of the standard."""
    for i in range(len(row)):
        left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
        up = above[i]
        nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
    return row
