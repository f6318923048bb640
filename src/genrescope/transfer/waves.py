"""The waves of a store's tracks at a network's rate, kept so that no epoch decodes a file again.

```
CACHE/wave-<rate>/<sha256>.safetensors    wave: int16 (samples,)  step: float32 (), the height of one unit
CACHE/wave-<rate>/index.csv               what each track is, and what became of its file
```

Sixteen bits are as many as most music was published in; a wave that overshoots is kept in larger steps, never clipped.
Networks of one rate share the waves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import modelfile
from genrescope.errors import DataError
from genrescope.transfer import cache as caches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.store.index import IndexRow
    from genrescope.store.store import Store
    from genrescope.transfer.cache import Gathered, Progress

_WAVE, _STEP = "wave", "step"
_LARGEST = 2**15 - 1


@dataclass(frozen=True)
class StoredWave:
    """A track's wave in its file, of which any piece can be read.

    Attributes:
        path: the file.
        samples: its length.
        step: height of one unit.
    """

    path: Path
    samples: int
    step: float

    def cut(self, start: int, length: int) -> Wave:
        """Return a piece, float32 of shape (length,); a wave that is too short is repeated.

        Args:
            start: 0 up to `samples - length`; 0 for a wave that is too short.
            length: samples.

        Raises:
            DataError: the file has gone since, or is damaged.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="np") as file:
                piece = file.get_slice(_WAVE)[start : min(start + length, self.samples)]
        except (SafetensorError, OSError) as error:
            told = f"{self.path} has gone or changed ({error}); go on with --resume, which makes it again"
            raise DataError(told) from error
        filled: Wave = np.resize(piece, length).astype(np.float32) * np.float32(self.step)
        return filled


def keep(
    store: Store,
    rate: int,
    *,
    data: str | None = None,
    cache: Path | None = None,
    on_track: Callable[[Progress], None] = lambda _: None,
) -> Gathered[StoredWave]:
    """Decode all tracks of a store that were not decoded at this rate yet.

    Args:
        store: the tracks.
        rate: samples per second.
        data: where the audio is, as `prepare` takes it; None takes what the store was prepared from.
        cache: where waves are kept; None takes a folder in the store.
        on_track: called after every track.

    Raises:
        DataError: the audio cannot be found, or none of it can be used.
        OutputError: the waves cannot be written; what was finished is kept.
    """
    folder = caches.folder_in(store, cache, f"wave-{rate}")

    def make(row: IndexRow, wave: Wave) -> StoredWave:
        return _write(caches.file_of(folder, row), wave)

    def kept(row: IndexRow) -> StoredWave | None:
        return _kept(caches.file_of(folder, row))

    return caches.gather(store, folder, rate=rate, data=data, kept=kept, make=make, on_track=on_track)


def _write(path: Path, wave: Wave) -> StoredWave:
    step = np.float32(max(1.0, float(np.abs(wave).max(initial=0.0))) / _LARGEST)
    units = torch.from_numpy(np.rint(wave / step).clip(-_LARGEST, _LARGEST).astype(np.int16))
    modelfile.save_tensors(path, {_WAVE: units, _STEP: torch.tensor(step)}, {})
    return StoredWave(path, len(wave), float(step))


def _kept(path: Path) -> StoredWave | None:
    """Return what an earlier run left of a file; a damaged rest counts as nothing."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="np") as file:
            step, (samples,) = float(file.get_tensor(_STEP)), file.get_slice(_WAVE).get_shape()
    except (SafetensorError, OSError, ValueError):
        return None
    return StoredWave(path, samples, step) if samples and math.isfinite(step) else None
