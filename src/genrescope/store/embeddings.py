"""The embeddings of a store's tracks by a published network, kept so that each file is read once by each network.

```
CACHE/<network>/network.json            which network, and its window
CACHE/<network>/<sha256>.safetensors    embeddings of a file: float32 (windows, layers, width)
CACHE/<network>/index.csv               what each track is, and what became of its file
```

`<network>` is made of a fingerprint of weights, input and window. All layers are kept: another `--layer` computes
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from genrescope import files, modelfile
from genrescope.errors import ModelFileError
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.models.published import MEAN, select
from genrescope.store import audio_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.models.published import Body, PublishedSpec
    from genrescope.store.audio_cache import CacheProgress, Gathered
    from genrescope.store.store import Store

NETWORK_FILE = "network.json"
_KEY = "features"

Embeddings: TypeAlias = npt.NDArray[np.float32]
"""The embeddings of a track's windows: float32 of shape (windows, width)."""


def extract(
    store: Store,
    body: Body,
    *,
    layer: str = MEAN,
    data: str | None = None,
    cache: Path | None = None,
    on_track: Callable[[CacheProgress], None] = lambda _: None,
) -> Gathered[Embeddings]:
    """Compute the embeddings of all tracks of a store that were not computed yet.

    The store tells what the tracks are and which bytes their files had; a file that has changed since is not used.

    Args and errors are those of `audio_cache.gather`, and `layer`: a layer's number, or `mean` of all.
    """
    spec = body.spec
    front_end, scorer = make(spec.spec), Scorer(body, front_end=spec.spec, windows=spec.windows)

    def compute(path: Path, waveform: Wave) -> Embeddings | str:
        try:
            layers = scorer.outputs(body, stored([waveform], front_end))
        except Exception as error:  # whatever the code of transformers throws
            return f"the network: {type(error).__name__}: {' '.join(str(error).split())}"
        if not bool(torch.isfinite(layers).all()):
            return "the network: its embeddings are not finite"
        if not (path.parent / NETWORK_FILE).exists():
            files.write_json(path.parent / NETWORK_FILE, _about(spec), shared=True)
        modelfile.save_tensors(path, {_KEY: layers.contiguous()}, {"network": spec.identity}, shared=True)
        return _chosen(layers, layer)

    return audio_cache.gather(
        store, folder_name(spec), rate=spec.spec.sample_rate, data=data, cache=cache,
        kept=lambda path: _kept(path, layer), make=compute, on_track=on_track,
    )  # fmt: skip


def folder_name(spec: PublishedSpec) -> str:
    """Return the name of the folder of a network's embeddings in windows of one length."""
    return f"{spec.model_type}-{files.fingerprint([spec.identity, spec.frames])}"


def _about(spec: PublishedSpec) -> dict[str, object]:
    names = ("name", "revision", "model_type", "identity", "front_end", "frames", "layers", "width")
    return {"format": 1} | {name: getattr(spec, name) for name in names}


def _kept(path: Path, layer: str) -> Embeddings | None:
    """Return what an earlier run left of a file; a damaged rest counts as nothing."""
    if not path.exists():
        return None
    try:
        return _chosen(modelfile.load_tensors(path)[0][_KEY], layer)
    except (ModelFileError, KeyError):
        return None


def _chosen(layers: torch.Tensor, layer: str) -> Embeddings:
    chosen: Embeddings = select(layers, layer).contiguous().numpy()
    return chosen
