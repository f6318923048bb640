"""The command similar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Device, Quiet, next_step, out, say, table
from genrescope.cli.library_options import LibraryOption, StoredModelOption, library_again, open_library
from genrescope.cli.loading import load_model
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.library.database import Library
    from genrescope.library.rows import Song, StoredModel
    from genrescope.library.similar import Neighbour, Vectors


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope similar song.mp3 --count 30 --playlist evening.m3u8")(similar)


def similar(
    song: Annotated[Path, typer.Argument(help="A song of the library, or any audio file.")],
    count: Annotated[int, typer.Option(min=1, help="Number of songs.")] = 20,
    playlist: Annotated[
        Path | None, typer.Option(help="Write them as a playlist, M3U8, after the song itself.")
    ] = None,
    other_artists: Annotated[bool, typer.Option("--other-artists", help="Leave out songs by the same artist.")] = False,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find the songs of a library that sound most like one, by the cosine of standardised embeddings."""
    from genrescope import playlists
    from genrescope.library import similar as finding
    from genrescope.library.index import ranking_of
    from genrescope.library.lookup import find_song
    from genrescope.library.playlists import check_name, to_line

    if playlist is not None:
        check_name(playlist)
    with open_library(library) as opened:
        stored = opened.model(model)
        known = find_song(opened, song)
        ranking = ranking_of(opened, stored, on_note=lambda note: say(f"note: {note}", quiet=quiet))
        embedding = _embedding(opened, stored, known, song, device=device, quiet=quiet)
        found = finding.find(
            opened, stored, ranking, embedding, count=count, sound_id=known.sound_id if known else "",
            other_than=_artist(known, song, quiet=quiet) if other_artists else "",
        )  # fmt: skip
    _show(found)
    if playlist is not None:
        first = to_line(known) if known else playlists.Entry(song)
        playlists.write(playlist, [first, *(to_line(each.entry.song) for each in found)])
        say(f"{len(found) + 1} songs in {playlist}", quiet=quiet)
    next_step("library", "playlists", "playlists", "--by", "cluster", *library_again(library), quiet=quiet)


def _embedding(
    library: Library, model: StoredModel, known: Song | None, path: Path, *, device: str, quiet: bool
) -> Vectors:
    """Return a song's embedding: from the library, or made on the spot by the model that made the others.

    Raises:
        DataError: the model is not the same any more.
    """
    if known is not None:
        _, vectors = library.embeddings(model, songs=[known.id])
        if len(vectors):
            stored: Vectors = vectors[0]
            return stored
    say(f"{path} has no embedding in the library; made now by {model.name}", quiet=quiet)
    given = None if model.name == _default() else Path(model.name)
    choice = model.choice
    classifier, _ = load_model(
        given, device=device, windows=choice.windows or "all", excerpt=choice.excerpt, quiet=quiet
    )
    if classifier.fingerprint != model.fingerprint:
        raise DataError(
            f"{model.name} is now another model ({classifier.fingerprint}) than the one that made the library's "
            f"embeddings ({model.fingerprint}): scan again, or give a song of the library"
        )
    return classifier.embed(path)


def _default() -> str:
    from genrescope.modelfile.shelf import DEFAULT

    return DEFAULT


def _artist(known: Song | None, path: Path, *, quiet: bool) -> str:
    """Return the artist whose songs are left out."""
    from genrescope.library.similar import artist_of
    from genrescope.tags.read import read

    artist = artist_of(known) if known is not None else read(path).group
    if not artist:
        say(f"note: the tags of {path} name no artist, so --other-artists leaves nobody out", quiet=quiet)
    return artist


def _show(found: Sequence[Neighbour]) -> None:
    from rich.text import Text

    rows = table("similarity", "genre", "song", "file", right=("similarity",))
    for each in found:
        song, prediction = each.entry.song, each.entry.prediction
        genre = ", ".join(each.entry.correction) or (prediction.genre if prediction else "")
        title = " - ".join(filter(None, (song.artist, song.title)))
        rows.add_row(*map(Text, (f"{each.similarity:.2f}", genre, title, str(song.path))))
    out().print(rows)
