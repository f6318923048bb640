"""The features of a store's tracks by pre-trained taggers, kept so that each file is read once.

```
STORE/transfer/listener-<fingerprint>/<sha256>.safetensors    float32 (windows with sound, pooled layer and tags)
STORE/transfer/listener-<fingerprint>/index.csv               what each track is, and what became of its file
```

The fingerprint is that of the taggers' weights and their windows.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

import torch

from genrescope import modelfile
from genrescope.errors import ModelFileError
from genrescope.features.front_end import make, stored
from genrescope.features.placement import WindowSpec
from genrescope.inference.scorer import Scorer
from genrescope.models.listener import LEVEL
from genrescope.store import audio_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.modelfile import Model
    from genrescope.models.listener import Listener
    from genrescope.store.audio_cache import CacheProgress, Gathered
    from genrescope.store.embeddings import Embeddings
    from genrescope.store.store import Store

WINDOWS = WindowSpec(187, padding="repeat", pooling="logits")
"""The windows of a listener: 2.99 s without overlap, as its taggers were trained."""
_KEY = "features"


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, changed: int) -> Model:
    return modelfile.load(path)


def taggers(names: Sequence[str]) -> list[Model]:
    """Load taggers from the shelf; published ones are fetched the first time.

    Raises:
        ModelFileError: one cannot be fetched, or is no musicnn network.
    """
    found = []
    for name in names:
        path = fetch(name)
        model = _loaded(path, path.stat().st_mtime_ns)
        if model.header.model != "musicnn":
            raise ModelFileError(f"{name} is a model {model.header.model}; accepted as a tagger are musicnn networks")
        found.append(model)
    return found


def fetch(name: str, *, on_step: Callable[[str], None] = lambda _: None) -> Path:
    """Return the file of a tagger on the shelf; a published one is fetched the first time.

    Raises:
        ModelFileError: it cannot be had.
    """
    from genrescope.modelfile import shelf

    if path := shelf.path_of(name):
        return path
    try:
        new, path = shelf.get(name, on_step=on_step)
        on_step(f"{', '.join(new)}: on the shelf now. Terms: genrescope models show {name}")
        return path
    except ModelFileError as error:
        raise ModelFileError(f"{error}. Or train without published weights: --recipe scratch") from error


def tags_of(models: Sequence[Model]) -> list[str]:
    """Return the tags of taggers, as `tagger:tag`."""
    return [f"{model.header.recipe['name']}:{label}" for model in models for label in model.header.labels]


def extract(
    store: Store,
    network: Listener,
    models: Sequence[Model],
    *,
    data: str | None = None,
    on_track: Callable[[CacheProgress], None] = lambda _: None,
) -> Gathered[Embeddings]:
    """Compute the features of all tracks of a store that were not computed yet.

    Args:
        store: the tracks.
        network: its `listen` makes them.
        models: its taggers.
        data: where the audio is, as `prepare` takes it; None takes what the store was prepared from.
        on_track: called after every track.

    Raises:
        DataError: the audio cannot be found, or none of it can be used.
        OutputError: the features cannot be written; what was finished is kept.
    """
    spec = models[0].header.front_end
    front_end, scorer = make(spec), Scorer(network, front_end=spec, windows=WINDOWS)

    def compute(path: Path, waveform: Wave) -> Embeddings | str:
        frames = stored([waveform], front_end)
        features = scorer.outputs(network.listen, frames)[scorer.voting(frames)]
        if not bool(torch.isfinite(features).all()):
            return "the network: its features are not finite"
        modelfile.save_tensors(path, {_KEY: features.contiguous()}, {}, shared=True)
        found: Embeddings = features.numpy()
        return found

    return audio_cache.gather(
        store, f"listener-{identity(network)}", rate=spec.sample_rate, data=data, cache=None, kept=_kept,
        make=compute, on_track=on_track,
    )  # fmt: skip


def _kept(path: Path) -> Embeddings | None:
    """Return what an earlier run left of a file; a damaged rest counts as nothing."""
    try:
        return modelfile.load_tensors(path)[0][_KEY].numpy() if path.exists() else None
    except (ModelFileError, KeyError):
        return None


def identity(network: Listener) -> str:
    """Return a fingerprint of the taggers' weights, of where they look, and of what they are given."""
    digest = hashlib.sha256(f"{WINDOWS}, those with sound, raised to {LEVEL} dB".encode())
    for name, tensor in sorted(network.taggers.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
