"""The features of a store's tracks, kept so that each file is heard once by each network.

```
CACHE/<network>/network.json            which network, and its window
CACHE/<network>/<sha256>.safetensors    features of a file: float32 (windows, layers, width)
CACHE/<network>/index.csv               what each track is, and what became of its file
```

`<network>` is made of a fingerprint of weights, input and window. All layers are kept: another `--layer` computes
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from genrescope import files, modelfile
from genrescope.errors import ModelFileError
from genrescope.transfer import cache as caches
from genrescope.transfer.cache import Gathered
from genrescope.transfer.network import MEAN, Features

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.store.index import IndexRow
    from genrescope.store.store import Store
    from genrescope.transfer.cache import Progress
    from genrescope.transfer.network import Network

NETWORK_FILE = "network.json"
_KEY = "features"

Extracted: TypeAlias = Gathered[Features]
"""The features of each usable track: float32 of shape (windows, width)."""


def extract(
    store: Store,
    network: Network,
    *,
    layer: str = MEAN,
    data: str | None = None,
    cache: Path | None = None,
    on_track: Callable[[Progress], None] = lambda _: None,
) -> Extracted:
    """Let a network hear all tracks of a store that it has not heard yet.

    The store tells what the tracks are and which bytes their files had; a file that has changed since is not used.

    Args:
        store: the tracks.
        network: what hears them.
        layer: a layer's number, or `mean` of all.
        data: where the audio is, as `prepare` takes it; None takes what the store was prepared from.
        cache: where features are kept; None takes a folder in the store.
        on_track: called after every track.

    Raises:
        DataError: the audio cannot be found, or none of it can be used.
        OutputError: the features cannot be written; what was finished is kept.
    """
    folder = caches.folder_in(store, cache, folder_name(network))

    def make(row: IndexRow, wave: Wave) -> Features | str:
        heard = _heard(wave, network)
        if isinstance(heard, str):
            return heard
        if not (folder / NETWORK_FILE).exists():
            files.write_json(folder / NETWORK_FILE, _about(network))
        path = caches.file_of(folder, row)
        modelfile.save_tensors(path, {_KEY: torch.from_numpy(heard)}, {"network": network.identity})
        return _chosen(heard, layer)

    def kept(row: IndexRow) -> Features | None:
        return _kept(caches.file_of(folder, row), layer)

    return caches.gather(store, folder, rate=network.rate, data=data, kept=kept, make=make, on_track=on_track)


def folder_name(network: Network) -> str:
    """Return the name of the folder of what a network heard in windows of one length."""
    return f"{network.model_type}-{files.fingerprint([network.identity, network.window])}"


def _about(network: Network) -> dict[str, object]:
    names = ("name", "model_type", "identity", "revision", "rate", "seconds", "layers", "width")
    return {"format": 1} | {name: getattr(network, name) for name in names}


def _kept(path: Path, layer: str) -> Features | None:
    """Return what an earlier run left of a file; a damaged rest counts as nothing."""
    if not path.exists():
        return None
    try:
        return _chosen(modelfile.load_tensors(path)[0][_KEY].numpy(), layer)
    except (ModelFileError, KeyError):
        return None


def _chosen(heard: Features, layer: str) -> Features:
    chosen: Features = heard.mean(axis=1) if layer == MEAN else heard[:, int(layer)]
    return np.ascontiguousarray(chosen)


def _heard(wave: Wave, network: Network) -> Features | str:
    """Return a wave's features, or the reason why there are none."""
    try:
        heard = network.hear(wave)
    except Exception as error:  # whatever a network, or the code that it brings, throws
        return f"the network: {type(error).__name__}: {' '.join(str(error).split())}"
    return heard if np.isfinite(heard).all() else "the network: its features are not finite"
