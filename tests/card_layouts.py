"""Small copies of the public data sets, each laid out as the real one is; most files are empty.

Each holds a stray audio file that belongs to no track, and those with lists a listed file that is not on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

FMA_COLUMNS = (
    ("album", "comments"), ("artist", "bio"), ("artist", "id"), ("set", "split"), ("set", "subset"),
    ("track", "genre_top"), ("track", "title"),
)  # fmt: skip
MTG_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"


@dataclass(frozen=True)
class Layout:
    """A data set's small copy.

    Attributes:
        write: writes it into a folder.
        tracks: how many tracks a card finds in it.
        missing: ids of listed tracks whose files are not on disk.
        strays: audio files, relative to the folder, that belong to no track.
        groups: whether the card knows groups.
        parts: the parts of the official split that are in it.
    """

    write: Callable[[Path], None]
    tracks: int
    missing: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    groups: bool = True
    parts: tuple[str, ...] = ()


def touch(root: Path, *names: str) -> None:
    """Write empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def fma_row(track: int, *, artist: int, split: str, subset: str, genre: str, bio: str = "") -> str:
    """Return a line of FMA's `tracks.csv`."""
    return f'{track},0,"{bio}",{artist},{split},{subset},{genre},"One, two"\n'


def write_fma(root: Path, rows: Sequence[str], *, columns: Sequence[tuple[str, str]] = FMA_COLUMNS) -> Path:
    """Write FMA's `tracks.csv` with its header of three lines."""
    listing = root / "fma_metadata" / "tracks.csv"
    listing.parent.mkdir(parents=True, exist_ok=True)
    header = [",".join(["", *(pair[level] for pair in columns)]) for level in (0, 1)]
    header.append("track_id" + "," * len(columns))
    listing.write_text("\n".join(header) + "\n" + "".join(rows), encoding="utf-8")
    return listing


def write_mtg(root: Path, rows: Mapping[str, Sequence[str]]) -> None:
    """Write the three lists of MTG-Jamendo's split 0."""
    for part in ("train", "validation", "test"):
        listing = root / "data" / "splits" / "split-0" / f"autotagging_genre-{part}.tsv"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join([MTG_HEADER, *rows.get(part, ())]) + "\n", encoding="utf-8")


def _ballroom(root: Path) -> None:
    touch(
        root / "BallroomData",
        "ChaChaCha/Albums-Fire-08.wav", "Samba/Albums-Fire-09.wav", "Quickstep/Albums-AnaBelen_Veneo-11.wav",
        "Quickstep/Albums-Chrisanne2-12.wav", "Rumba-American/Albums-AnaBelen_Veneo-13.wav",
        "Rumba-Misc/Media-103601.wav", "ChaChaCha/Media-103402.wav", "ChaChaCha/Media-103415.wav",
        "Waltz/Media-104705.wav", "Waltz/Albums-Secret_Garden-01.wav", "nada/stray.wav", "stray.wav",
    )  # fmt: skip
    (root / "BallroomData" / "allBallroomFiles").write_text("./ChaChaCha/Albums-Fire-08.wav\n")


def _fma(size: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        touch(root / f"fma_{size}", "000/000002.mp3", "000/000005.mp3", "139/139010.mp3", "000/000999.mp3")
        write_fma(
            root,
            [
                fma_row(2, artist=1, split="training", subset="small", genre="Hip-Hop"),
                fma_row(5, artist=1, split="training", subset="small", genre="Hip-Hop", bio="line\nbreak"),
                fma_row(10, artist=6, split="validation", subset="small", genre="Pop"),
                fma_row(20, artist=4, split="training", subset="large", genre=""),
                fma_row(30, artist=9, split="test", subset="medium", genre="Soul-RnB"),
                fma_row(40, artist=9, split="test", subset="large", genre="Old-Time / Historic"),
                fma_row(139010, artist=7, split="test", subset="small", genre="Rock"),
            ],
        )

    return write


def _gtzan(root: Path) -> None:
    touch(
        root / "genres",
        "blues/blues.00000.wav", "metal/metal.00058.wav", "reggae/reggae.00028.wav", "reggae/reggae.00087.wav",
        "rock/rock.00016.wav", "rock/stray.wav",
    )  # fmt: skip


def _homburg(root: Path) -> None:
    touch(
        root,
        "alternative/50_Minutes-Nightwalk.mp3", "alternative/The_Beeps-tell_me.mp3", "rock/Beeps-Goin__Home.mp3",
        "rock/_REAL-FREE.mp3", "features/stray.mp3",
    )  # fmt: skip


def _ismir04(root: Path) -> None:
    audio, metadata = root / "ismir04_genre" / "audio", root / "ismir04_genre" / "metadata"
    lists = {
        "training": [
            "classical,orinda,airs_de_cour,quel_espoir,2,classical/orinda/airs_de_cour/2-quel_espoir_(guedron).mp3",
            "jazz_blues,jane,lute_book,\"don't, she said\",3,jazz/jane/jane's_book/3-don't.mp3",
        ],
        "development": ["rock_pop,artist_14,album_1,track_1,1,artist_14_album_1_track_1.mp3"],
        "evaluation": [
            "classical,orinda,airs_de_cour,chaconne,9,classical/orinda/airs_de_cour/9-chaconne.mp3,1001",
            "world,solace,iman,akhawat,7,world/solace/iman/7-akhawat.mp3,1002",
        ],
    }
    for part, lines in lists.items():
        touch(metadata, f"{part}/tracklist.csv")
        (metadata / part / "tracklist.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    touch(
        audio,
        "training/classical/orinda/airs_de_cour/2-quel_espoir_(guedron).mp3",
        "training/jazz/jane/jane_s_book/3-don_t.mp3",  # as some unpackers write an apostrophe
        "development/artist_14_album_1_track_1.mp3",
        "evaluation/classical/orinda/airs_de_cour/9-chaconne.mp3",
        "development/stray.mp3",
    )


def _mtg_jamendo(root: Path) -> None:
    touch(root / "audio-low", "14/214.low.mp3", "15/215.low.mp3", "17/217.low.mp3", "99/stray.low.mp3")
    write_mtg(
        root,
        {
            "train": [
                "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock\tgenre---rock",
                "track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---metal\tgenre---rock",
            ],
            "validation": ["track_0000216\tartist_000015\talbum_000032\t16/216.mp3\t234.9\tgenre---rock"],
            "test": ["track_0000217\tartist_000016\talbum_000033\t17/217.mp3\t127.9\tgenre---metal"],
        },
    )


def _synth(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    lines = ["path,genre,group", "dustreel/a-1.flac,dustreel,Ann", "dustreel/a-2.flac,dustreel,Ann"]
    (root / "tracks.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    touch(root, "dustreel/a-1.flac", "stray.flac")


PARTS = ("train", "validation", "test")
LAYOUTS = {
    "ballroom": Layout(_ballroom, 10, strays=("BallroomData/nada/stray.wav", "BallroomData/stray.wav")),
    "fma-full": Layout(_fma("full"), 6, ("000010", "000030", "000040"), ("fma_full/000/000999.mp3",), parts=PARTS),
    "fma-large": Layout(_fma("large"), 6, ("000010", "000030", "000040"), ("fma_large/000/000999.mp3",), parts=PARTS),
    "fma-medium": Layout(_fma("medium"), 5, ("000010", "000030"), ("fma_medium/000/000999.mp3",), parts=PARTS),
    "fma-small": Layout(_fma("small"), 4, ("000010",), ("fma_small/000/000999.mp3",), parts=PARTS),
    "gtzan": Layout(_gtzan, 5, strays=("genres/rock/stray.wav",)),
    "homburg": Layout(_homburg, 4, strays=("features/stray.mp3",)),
    "ismir04": Layout(
        _ismir04, 5, ("evaluation/world/solace/iman/7-akhawat",), ("ismir04_genre/audio/development/stray.mp3",),
        parts=PARTS,
    ),
    "mtg-jamendo": Layout(_mtg_jamendo, 4, ("track_0000216",), ("audio-low/99/stray.low.mp3",), parts=PARTS),
    "synth": Layout(_synth, 2, ("dustreel/a-2.flac",), ("stray.flac",)),
}  # fmt: skip
