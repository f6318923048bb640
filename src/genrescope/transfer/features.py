"""The features of a store's tracks, kept so that each file is heard once by each network.

```
CACHE/<network>/network.json            which network, and its window
CACHE/<network>/<sha256>.safetensors    features of a file: float32 (windows, layers, width)
CACHE/<network>/index.csv               what each track is, and what became of its file
```

`<network>` is made of a fingerprint of weights, input and window, and a file is called by its own digest: what was
computed from other weights or another file has another name. Each is written whole or not at all, so an interrupted run
goes on with what is missing. All layers are kept: another `--layer` computes nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import audio, bundle, files
from genrescope.data import index, windows
from genrescope.data.store import INDEX_FILE
from genrescope.errors import AudioError, DataError, ModelFileError
from genrescope.transfer.network import MEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.data.index import IndexRow
    from genrescope.data.store import Store
    from genrescope.transfer.network import Features, Network

FOLDER = "transfer"
"""Where features lie in a store."""

NETWORK_FILE = "network.json"
_KEY = "features"


@dataclass(frozen=True)
class Extracted:
    """What `extract` did.

    Attributes:
        features: of each usable track by its id: float32 of shape (windows, width).
        computed: number of tracks heard in this run.
        kept: number of tracks that were there already.
        failed: the rows of the tracks that could not be used, with their reasons.
        folder: where the features are.
    """

    features: dict[str, Features]
    computed: int
    kept: int
    failed: tuple[IndexRow, ...]
    folder: Path


@dataclass(frozen=True)
class Progress:
    """Where a run of `extract` stands, told after every track.

    Attributes:
        done: tracks finished, those of earlier runs included.
        total: tracks in all.
        row: the track just finished; None at the start.
    """

    done: int
    total: int
    row: IndexRow | None


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
    base = cache if cache is not None else store.path / FOLDER
    if base.is_file():
        raise DataError(f"{base} is a file; --cache names a folder")
    folder = base / folder_name(network)
    known = {track.id for track in store.tracks}
    rows = [row for row in index.read_index(store.path / INDEX_FILE) if row.id in known]
    found = {row.id: its for row in rows if (its := _kept(folder, row, layer)) is not None}
    missing = [row for row in rows if row.id not in found]
    kept, failed = len(found), list[index.IndexRow]()
    on_track(Progress(kept, len(rows), None))
    if missing:
        paths = _paths(store, data)
        files.write_json(folder / NETWORK_FILE, _about(network))
        for number, (row, wave) in enumerate(windows.ahead(_decoded(missing, paths, network)), start=kept + 1):
            heard = _heard(row, wave, network)
            if isinstance(heard, np.ndarray):
                bundle.save_tensors(_file(folder, row), {_KEY: torch.from_numpy(heard)}, {"network": network.identity})
                found[row.id] = _chosen(heard, layer)
            else:
                failed.append(heard)
            on_track(Progress(number, len(rows), row if isinstance(heard, np.ndarray) else heard))
        _write_index(folder, rows, failed)
    if not found:
        raise DataError(f"none of the {len(rows)} tracks could be heard; {failed[0].path}: {failed[0].status}")
    return Extracted(found, len(missing) - len(failed), kept, tuple(failed), folder)


def folder_name(network: Network) -> str:
    """Return the name of the folder of what a network heard in windows of one length."""
    return f"{network.model_type}-{files.fingerprint([network.identity, network.window])}"


def _about(network: Network) -> dict[str, object]:
    names = ("name", "model_type", "identity", "revision", "rate", "seconds", "layers", "width")
    return {"format": 1} | {name: getattr(network, name) for name in names}


def _file(folder: Path, row: IndexRow) -> Path:
    return folder / f"{row.sha256}.safetensors"


def _kept(folder: Path, row: IndexRow, layer: str) -> Features | None:
    """Return what an earlier run left of a file; a damaged rest counts as nothing."""
    path = _file(folder, row)
    if not path.exists():
        return None
    try:
        return _chosen(bundle.load_tensors(path)[0][_KEY].numpy(), layer)
    except (ModelFileError, KeyError):
        return None


def _chosen(heard: Features, layer: str) -> Features:
    chosen: Features = heard.mean(axis=1) if layer == MEAN else heard[:, int(layer)]
    return np.ascontiguousarray(chosen)


def _paths(store: Store, data: str | None) -> Mapping[str, Path]:
    """Find the audio of the tracks.

    Raises:
        DataError: it is not there.
    """
    try:
        _, tracks = index.read_data(data if data is not None else store.data)
    except DataError as error:
        if data is not None:
            raise
        raise DataError(
            f"the audio that {store.path} was prepared from is not there ({error}); tell where it is now with --data"
        ) from error
    paths = {track.id: track.path for track in tracks}
    if not any(track.id in paths for track in store.tracks):
        raise DataError(f"{data or store.data} has none of the tracks of {store.path}, such as {store.tracks[0].id}")
    return paths


def _decoded(
    rows: Sequence[IndexRow], paths: Mapping[str, Path], network: Network
) -> Iterator[tuple[IndexRow, Wave | None]]:
    """Yield every track with its wave, or with the reason in its status and no wave."""
    for row in rows:
        try:
            if row.id not in paths:
                raise FileNotFoundError(2, "it is not in DATA")
            if files.sha256(paths[row.id]) != row.sha256:
                yield dataclasses.replace(row, status="it has changed since the store was prepared"), None
            else:
                yield row, audio.decode(paths[row.id], rate=network.rate)
        except AudioError as error:
            yield dataclasses.replace(row, status=error.reason), None
        except OSError as error:
            yield dataclasses.replace(row, status=f"file: {error.strerror or error}"), None
        except Exception as error:  # one bad file never stops a run, whatever a decoder throws
            yield dataclasses.replace(row, status=f"{type(error).__name__}: {error}"), None


def _heard(row: IndexRow, wave: Wave | None, network: Network) -> Features | IndexRow:
    """Return a track's features, or its row with the reason why there are none."""
    if wave is None:
        return row
    try:
        heard = network.hear(wave)
    except Exception as error:  # whatever a network, or the code that it brings, throws
        return dataclasses.replace(row, status=f"the network: {type(error).__name__}: {' '.join(str(error).split())}")
    if not np.isfinite(heard).all():
        return dataclasses.replace(row, status="the network: its features are not finite")
    return heard


def _write_index(folder: Path, rows: Sequence[IndexRow], failed: Sequence[IndexRow]) -> None:
    told = {row.id: row for row in failed}
    index.write_index(folder / INDEX_FILE, [told.get(row.id, row) for row in rows])
