# SPDX-License-Identifier: Apache-2.0
"""A folder of images as raw samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitwright.errors import DataError, ToolError
from bitwright.network import InputSpec
from bitwright.network.types import Array

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True, eq=False)
class _Images:
    """Image files, decoded when they are asked for: uint8 [n, H, W, C]."""

    paths: tuple[Path, ...]
    size: tuple[int, int, int]
    ndim = 4

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self.size

    def __getitem__(self, index: Any, /) -> Array:
        return np.stack([self._decoded(self.paths[i]) for i in np.atleast_1d(index)])

    def _decoded(self, path: Path) -> Array:
        image = _pillow()
        height, width, channels = self.size
        try:
            with image.open(path) as file:
                if (file.height, file.width) != (height, width):
                    raise DataError(f"{path} has {file.height} by {file.width} pixels; legal are {height} by {width}")
                pixels = np.asarray(file.convert("L" if channels == 1 else "RGB"), np.uint8)
        except (OSError, ValueError, SyntaxError, image.DecompressionBombError):
            raise DataError(f"{path} is no image, or it is damaged") from None
        return pixels.reshape(self.size)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ToolError("a folder of images needs Pillow: pip install pillow") from None
    return Image


def read_images(folder: Path, spec: InputSpec) -> tuple[_Images, Array | None]:
    """The images of a folder and of those in it, by path; labels: the order of the folders that they lie in."""
    shape = spec.type.shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(f"{folder} is a folder of images; legal for models of images with 1 or 3 channels alone")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
    classes = sorted({p.parent for p in paths})
    labels = np.array([classes.index(p.parent) for p in paths]) if len(classes) > 1 else None
    return _Images(tuple(paths), (shape[0], shape[1], shape[2])), labels
