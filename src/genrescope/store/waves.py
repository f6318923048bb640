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
import numpy.typing as npt
import torch

from genrescope import modelfile
from genrescope.errors import DataError
from genrescope.store import audio_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.store.audio_cache import CacheProgress, Gathered
    from genrescope.store.store import Store

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
        filled: Wave = np.resize(self._units(start, start + length), length).astype(np.float32) * np.float32(self.step)
        return filled

    def whole(self) -> Wave:
        """Return all of it, float32 of shape (samples,).

        Raises:
            DataError: the file has gone since, or is damaged.
        """
        waveform: Wave = self._units(0, self.samples).astype(np.float32) * np.float32(self.step)
        return waveform

    def _units(self, start: int, end: int) -> npt.NDArray[np.int16]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="np") as file:
                units: npt.NDArray[np.int16] = file.get_slice(_WAVE)[start : min(end, self.samples)]
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"{self.path} has gone or changed ({error}); go on with --resume, which makes it again"
            ) from error
        return units


def keep(
    store: Store,
    rate: int,
    *,
    data: str | None = None,
    cache: Path | None = None,
    on_track: Callable[[CacheProgress], None] = lambda _: None,
) -> Gathered[StoredWave]:
    """Decode all tracks of a store that were not decoded at this rate yet; args and errors as `audio_cache.gather`."""
    return audio_cache.gather(
        store, f"wave-{rate}", rate=rate, data=data, cache=cache, kept=_kept, make=_write, on_track=on_track
    )


def _write(path: Path, wave: Wave) -> StoredWave:
    step = np.float32(max(1.0, float(np.abs(wave).max(initial=0.0))) / _LARGEST)
    units = torch.from_numpy(np.rint(wave / step).clip(-_LARGEST, _LARGEST).astype(np.int16))
    modelfile.save_tensors(path, {_WAVE: units, _STEP: torch.tensor(step)}, {}, shared=True)
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
