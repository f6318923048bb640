"""Training on one's own labels: playlists, corrections, a library, several genres, negative examples."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import assert_refused, here
from conftest import tone, write
from musicnn_support import random_taggers
from own_labels_support import TAGS, one_each, several
from tag_support import FORMATS, tagged, untagged
from tagging_support import predictions

from genrescope import modelfile, playlists
from genrescope.library.database import Library
from genrescope.sources.data import read_data
from genrescope.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")
NETWORK = ("--recipe", "mgcc", "--set", "model.name=mgcc-small", "--set", "training.epochs=2", "--device", "cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf whose taggers have random weights."""
    return random_taggers(tmp_path_factory.mktemp("cache"), TAGS)


@pytest.fixture(autouse=True)
def _shelf(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_CACHE", str(cache))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the store of songs of several genres."""
    root = tmp_path_factory.mktemp("both")
    done = here("prepare", several(root / "music"), "--out", root / "store", "--jobs", 1)
    assert done.code == 0, done.err
    assert "6 of 24 tracks have several genres" in done.err
    assert "6 of 24 tracks are not-mine" in done.err
    assert "24 tracks of 2 genres" in done.err
    return root / "store"


@pytest.fixture(scope="module")
def run(both: Path, cache: Path) -> Path:
    """Give a run of the default recipe on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRESCOPE_CACHE", str(cache))
        done = here("train", both, "--out", both.parent / "run", "--device", "cpu")
    assert done.code == 0, done.err
    assert "tracks have several genres, so a score is fitted for each genre" in done.err
    return both.parent / "run"


def genres_of(store: Path) -> dict[str, str]:
    """Return the genre column of a store by the tracks' ids."""
    return {track.id: track.genre for track in open_store(store).tracks}


def result_of(path: Path) -> Any:
    """Return the content of a result."""
    return json.loads(path.read_text())


# -- several genres ---------------------------------------------------------------------------------------------


def test_each_genre_of_a_song_is_learnt_and_scored(run: Path) -> None:
    header = modelfile.read_header(run)
    assert not header.exclusive
    assert set(header.thresholds) == set(header.labels) == {"drone", "hiss"}
    done = here("evaluate", run)
    assert done.code == 0, done.err
    assert "mean average precision" in done.out
    assert "macro F1" in done.out
    result = result_of(run / "evaluation.json")
    assert {tuple(row["labels"]) for row in result["tracks"]} >= {("drone", "hiss"), ()}
    figure = result["mean_average_precision"]
    assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]
    assert figure["interval_by_groups"] is not None
    assert result["chance"] == pytest.approx(0.5)
    assert (run / "report.html").read_text().count("<figure>") == 1
    assert (run / "figures" / "labels.png").is_file()


def test_a_song_is_predicted_with_all_its_genres(run: Path, both: Path) -> None:
    held = [track.id for track in open_store(both).tracks if track.genre == "drone; hiss"]
    found = []
    for name in held:
        done = here("predict", run, both.parent / "music" / name, "--format", "jsonl")
        found.append(json.loads(done.out))
    limits = modelfile.read_header(run).thresholds
    for each in found:
        assert set(each["labels"]) == {label for label, score in each["scores"].items() if score >= limits[label]}
    assert sum(len(each["labels"]) == 2 for each in found) > len(found) / 2, found


def test_predictions_and_tables_leave_for_other_programs(run: Path, tmp_path: Path) -> None:
    done = here("evaluate", run, "--format", "csv", "--predictions", tmp_path / "tracks.csv")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [row["genre"] for row in rows][:2] == ["drone", "hiss"]
    assert float(rows[2]["average_precision"]) == pytest.approx(
        result_of(run / "evaluation.json")["mean_average_precision"]["value"], abs=1e-6
    )
    tracks = list(csv.DictReader((tmp_path / "tracks.csv").read_text().splitlines()))
    assert {row["truth"] for row in tracks} >= {"drone; hiss", "not-mine"}


def test_folds_are_scored_and_predict_together(both: Path, tmp_path: Path) -> None:
    done = here("train", both, "--out", tmp_path / "cv", "--folds", 2, "--device", "cpu")
    assert done.code == 0, done.err
    assert "mean average precision" in done.out
    result = result_of(tmp_path / "cv" / "crossval.json")
    assert len(result["tracks"]) == 24
    assert [fold["run"] for fold in result["crossval"]["folds"]] == ["fold-1", "fold-2"]
    again = here("evaluate", tmp_path / "cv")
    assert again.out == done.out
    song = both.parent / "music" / "hiss-0.wav"
    predicted = json.loads(here("predict", tmp_path / "cv", song, "--format", "jsonl").out)
    assert set(predicted["scores"]) == {"drone", "hiss"}


def test_other_audio_is_scored_by_the_genres_that_the_model_knows(run: Path, tmp_path: Path) -> None:
    table = several(tmp_path / "new", artists=2)
    table.write_text(table.read_text().replace("hiss; drone", "hiss; polka"))
    done = here("evaluate", run, "--data", table, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    rows = result_of(tmp_path / "out" / "evaluation.json")["tracks"]
    assert sorted(row["labels"] for row in rows if row["id"].startswith("hiss-drone")) == [["hiss"], ["hiss"]]


def test_a_network_from_scratch_learns_them_too(both: Path, tmp_path: Path) -> None:
    done = here("train", both, "--out", tmp_path / "run", *NETWORK)
    assert done.code == 0, done.err
    header = modelfile.read_header(tmp_path / "run")
    assert not header.exclusive
    assert set(header.thresholds) == {"drone", "hiss"}
    scored = here("evaluate", tmp_path / "run")
    assert scored.code == 0, scored.err
    assert "micro F1" in scored.out


@pytest.mark.parametrize("recipe", ["scratch", "pooled-svm"])
def test_what_gives_one_genre_refuses_songs_of_several(both: Path, tmp_path: Path, recipe: str) -> None:
    done = here("train", both, "--out", tmp_path / "run", "--recipe", recipe, "--device", "cpu")
    assert_refused(done, "some tracks have several", "--recipe listener")
    assert not (tmp_path / "run").exists()


def test_what_counts_right_and_wrong_refuses_songs_of_several(run: Path, both: Path, tmp_path: Path) -> None:
    here("evaluate", run)
    assert_refused(here("compare", run, run, "--part", "test"), "several genres each", "genrescope evaluate")
    assert_refused(here("robustness", run), "one genre a track")
    seeds = here("train", both, "--out", tmp_path / "seeds", "--seeds", "0,1")
    assert_refused(seeds, "one genre a track")


# -- negative examples ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the store of songs of one genre each, and of negative examples."""
    root = tmp_path_factory.mktemp("single")
    assert here("prepare", one_each(root / "music"), "--out", root / "store", "--jobs", 1).code == 0
    return root / "store"


def test_negative_examples_make_songs_like_them_unknown(single: Path, tmp_path: Path) -> None:
    done = here("train", single, "--out", tmp_path / "run", "--device", "cpu", "--parts", "train")
    assert done.code == 0, done.err
    header = modelfile.read_header(tmp_path / "run")
    assert header.exclusive
    assert header.labels == ("drone", "hiss")
    assert header.options["negatives"] is True
    scored = here("evaluate", tmp_path / "run")
    assert scored.code == 0, scored.err
    assert "not-mine: " in scored.out
    caught = result_of(tmp_path / "run" / "evaluation.json")["negatives"]["caught"]
    assert caught["correct"] == caught["total"] >= 1
    table = several(tmp_path / "mixed", artists=2)
    other = here("evaluate", tmp_path / "run", "--data", table, "--out", tmp_path / "out")
    assert other.code == 0, other.err
    assert "2 tracks of drone; hiss left out: the model gives one genre a track" in " ".join(other.err.split())
    train = [
        line.split(",")[0] for line in (tmp_path / "run" / "split.csv").read_text().splitlines() if "train" in line
    ]
    strange = next(single.parent / "music" / name for name in train if name.startswith("not-mine"))
    assert json.loads(here("predict", tmp_path / "run", strange, "--format", "jsonl").out)["unknown"]


def test_folds_count_negative_examples_apart(single: Path, tmp_path: Path) -> None:
    done = here("train", single, "--out", tmp_path / "cv", "--folds", 2, "--device", "cpu")
    assert done.code == 0, done.err
    assert "not-mine: " in done.out
    result = result_of(tmp_path / "cv" / "crossval.json")
    assert len(result["tracks"]) == 12
    assert result["negatives"]["caught"]["total"] == 6
    assert result["negatives"]["lost"]["total"] == 12


@pytest.mark.parametrize("options", [("--recipe", "pooled-svm"), NETWORK])
def test_what_cannot_learn_from_negative_examples_says_so(
    single: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert_refused(here("train", single, "--out", tmp_path / "run", *options), "not-mine", "--recipe listener")


def test_a_folder_of_negative_examples_is_no_genre(tmp_path: Path) -> None:
    for genre, hz in (("rock", 300), ("jazz", 310), ("Not mine", 320)):
        tagged(tmp_path / "music" / genre / "song.wav", hz=hz)
    done = here("prepare", tmp_path / "music", "--out", tmp_path / "store", "--jobs", 1)
    assert "3 tracks of 2 genres" in done.err
    assert genres_of(tmp_path / "store")["Not mine/song.wav"] == "not-mine"


# -- where labels come from ---------------------------------------------------------------------------------------


def playlist(path: Path, *songs: Path) -> None:
    """Write a playlist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    playlists.write(path, [playlists.Entry(song) for song in songs])


def test_playlists_are_genres(tmp_path: Path) -> None:
    music, lists = tmp_path / "music", tmp_path / "lists"
    one, two, three = (
        tagged(music / f"{name}.mp3", artist=artist, hz=hz)
        for name, artist, hz in (("one", "The Who", 300), ("two", "Who, The", 310), ("three", "Z", 320))
    )
    playlist(lists / "rock.m3u8", one, two)
    playlist(lists / "late night.m3u", two, music / "gone.mp3")
    playlist(lists / "not-mine.m3u8", three)
    done = here("prepare", f"playlists:{lists}", "--out", tmp_path / "store", "--jobs", 1)
    assert done.code == 1, "a song is missing"
    assert "gone.mp3: late night.m3u names it, and there is no such file" in done.err
    assert genres_of(tmp_path / "store") == {
        "../music/one.mp3": "rock", "../music/two.mp3": "late night; rock", "../music/three.mp3": "not-mine",
    }  # fmt: skip
    groups = {track.id: track.group for track in open_store(tmp_path / "store").tracks}
    assert groups["../music/one.mp3"] == groups["../music/two.mp3"] == "who"


def test_a_name_in_a_playlist_that_no_file_can_have_stops_nothing(tmp_path: Path) -> None:
    song = tagged(tmp_path / "song.mp3", hz=300)
    playlist(tmp_path / "lists" / "rock.m3u8", song)
    with (tmp_path / "lists" / "rock.m3u8").open("a") as file:
        file.write("x" * 300 + ".mp3\nC:\\" + "y" * 300 + "\n")
    done = here("prepare", f"playlists:{tmp_path / 'lists'}", "--out", tmp_path / "store", "--jobs", 1)
    assert done.code == 1, done.err
    assert done.err.count("rock.m3u8 names it, and there is no such file") == 2
    assert genres_of(tmp_path / "store") == {"../song.mp3": "rock"}


def test_playlists_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    song = tagged(tmp_path / "song.mp3", hz=300)
    playlist(tmp_path / "lists" / "rock.m3u8", song)
    playlist(tmp_path / "lists" / "not-mine.m3u8", song)
    refused = here("prepare", f"playlists:{tmp_path / 'lists'}", "--out", tmp_path / "store")
    assert_refused(refused, "song.mp3", "not-mine", "rock")
    (tmp_path / "empty").mkdir()
    assert_refused(here("check", f"playlists:{tmp_path / 'empty'}"), "no playlists found", "jazz.m3u8")


def test_corrections_replace_labels(single: Path, tmp_path: Path) -> None:
    music = single.parent / "music"
    wrong = tmp_path / "wrong.csv"
    lines = [f"{music / 'drone-0.wav'},hiss", "drone-1.wav,drone", "hiss-2.wav,hiss;drone", "elsewhere.wav,hiss"]
    wrong.write_text("\n".join(["path,genre", *lines]) + "\n")
    done = here("prepare", music / "one.csv", "--out", tmp_path / "store", "--corrections", wrong, "--jobs", 1)
    assert done.code == 0, done.err
    assert f"2 labels corrected by {wrong}; 1 were the same already" in done.err
    assert "1 corrections name no track of DATA: elsewhere.wav" in done.err
    found = genres_of(tmp_path / "store")
    assert found["drone-0.wav"] == "hiss"
    assert found["hiss-2.wav"] == "drone; hiss"
    assert "18 kept" in here("prepare", music / "one.csv", "--out", tmp_path / "store", "--jobs", 1).err, "not decoded"
    assert genres_of(tmp_path / "store")["drone-0.wav"] == "drone"


def test_the_end_of_a_path_names_a_track_where_only_one_has_it(tmp_path: Path) -> None:
    for name, hz in (("drone/one.wav", 200.0), ("drone/two.wav", 300.0), ("hiss/two.wav", 400.0)):
        write(tmp_path / "music" / name, tone(hz, seconds=1.0))
    table = tmp_path / "elsewhere" / "corrections.csv"
    table.parent.mkdir()
    table.write_text("path,genre\nmusic/drone/two.wav,hiss\none.wav,hiss\ntwo.wav,drone\nusic/hiss/two.wav,drone\n")
    done = here("prepare", tmp_path / "music", "--out", tmp_path / "store", "--corrections", table, "--jobs", 1)
    assert done.code == 0, done.err
    assert f"2 labels corrected by {table}" in done.err
    assert "1 corrections fit several tracks of DATA, so give more of the path: two.wav" in done.err
    assert "1 corrections name no track of DATA: usic/hiss/two.wav" in done.err
    assert set(genres_of(tmp_path / "store").values()) == {"hiss"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("path,genre\nnowhere.wav,rock", ("none of its 1 paths is one track", "nowhere.wav")),
        ("path,genre\ndrone-0.wav,", ("line 2", "must not be empty")),
        ("path,genre\ndrone-0.wav,rock;not-mine", ("line 2", "none of the genres")),
        ("path,label\ndrone-0.wav,rock", ("no column genre",)),
    ],
)
def test_corrections_that_cannot_be_meant_are_refused(
    single: Path, tmp_path: Path, lines: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "wrong.csv").write_text(lines + "\n")
    table = single.parent / "music" / "one.csv"
    refused = here("prepare", table, "--out", tmp_path / "store", "--corrections", tmp_path / "wrong.csv")
    assert_refused(refused, "wrong.csv", *words)


def test_all_genres_of_tags_are_kept_where_asked(tmp_path: Path) -> None:
    tagged(tmp_path / "music" / "a.flac", genre=["Rock", "Blues"], hz=300)
    tagged(tmp_path / "music" / "b.flac", genre="Jazz", hz=310)
    data = f"library:{tmp_path / 'music'}"
    assert here("prepare", data, "--out", tmp_path / "one", "--jobs", 1).code == 0
    assert genres_of(tmp_path / "one") == {"a.flac": "rock", "b.flac": "jazz"}
    assert here("prepare", data, "--out", tmp_path / "all", "--jobs", 1, "--several-genres").code == 0
    assert genres_of(tmp_path / "all") == {"a.flac": "blues; rock", "b.flac": "jazz"}


def test_genres_that_tag_wrote_are_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    music = tmp_path / "music"
    written = [untagged(music / f"{number}{suffix}", hz=300 + 10 * number) for number, suffix in enumerate(FORMATS)]
    rock, jazz = (tagged(music / f"{genre}.flac", genre=genre, hz=500 + 9 * len(genre)) for genre in ("Rock", "Jazz "))
    done = here("tag", "--predictions", predictions(tmp_path / "p.jsonl", written, {"blues": 0.9}), "--write")
    assert done.code == 0, done.err
    assert f"{len(FORMATS)} written" in done.err
    left = f"{len(FORMATS)} whose genre `genrescope tag` wrote"

    listed = here("library", "dataset", music, "--out", tmp_path / "songs.csv")
    assert listed.code == 0, listed.err
    assert left in " ".join(listed.err.split())
    assert {track.id for track in read_data(str(tmp_path / "songs.csv"))[1]} == {"music/Rock.flac", "music/Jazz .flac"}
    assert left in here("check", f"library:{music}", "--out", tmp_path / "check").err
    assert {track.path for track in read_data(f"library:{music}")[1]} == {rock, jazz}

    with Library(tmp_path / "library.db", create=True) as library, library.writing() as connection:
        for number, path in enumerate([*written, rock], start=1):
            connection.execute(
                "INSERT INTO songs (id, path, device, inode, size, mtime_ns, sound_id, genres, scanned) "
                "VALUES (?, ?, '0', ?, 0, 0, ?, ?, '')",
                (number, str(path), str(number), f"sound {number}", '["Rock"]' if path == rock else '["Blues"]'),
            )
        connection.execute("INSERT INTO corrections VALUES ('sound 1', '[\"Doom\"]', '', '')")
    found = here("prepare", tmp_path / "library.db", "--out", tmp_path / "store", "--jobs", 1)
    assert found.code == 0, found.err
    assert f"left out, and {len(FORMATS) - 1} whose genre `genrescope tag` wrote" in " ".join(found.err.split())
    genres = {path.rpartition("/")[2]: genre for path, genre in genres_of(tmp_path / "store").items()}
    assert genres == {written[0].name: "Doom", "Rock.flac": "rock"}, "a correction is a person's"


def test_a_table_of_tagged_songs_keeps_all_genres_where_asked(tmp_path: Path) -> None:
    tagged(tmp_path / "music" / "a.flac", genre=["Rock", "Blues"], artist="A", hz=300)
    tagged(tmp_path / "music" / "b.flac", genre="Rock", artist="B", hz=310)
    out = tmp_path / "songs.csv"
    done = here("library", "dataset", tmp_path / "music", "--out", out, "--several-genres")
    assert done.code == 0, done.err
    assert {track.id: track.genre for track in read_data(str(out))[1]} == {
        "music/a.flac": "blues; rock", "music/b.flac": "rock",
    }  # fmt: skip
    assert ["blues", "1", "1"] in [line.split() for line in done.out.splitlines()]
    assert ["rock", "2", "2"] in [line.split() for line in done.out.splitlines()]
    assert here("library", "dataset", tmp_path / "music", "--out", out).code == 0
    assert {track.genre for track in read_data(str(out))[1]} == {"rock"}


def test_a_library_gives_corrections_first_and_never_predictions(tmp_path: Path) -> None:
    songs = {name: tagged(tmp_path / f"{name}.flac", hz=300 + 10 * n) for n, name in enumerate(("a", "b", "c", "d"))}
    with Library(tmp_path / "library.db", create=True) as library, library.writing() as connection:
        for number, (name, path) in enumerate(songs.items(), start=1):
            genres = {"a": '["Rock"]', "b": '["Rock", "Jazz"]', "c": "[]", "d": "[]"}[name]
            connection.execute(
                "INSERT INTO songs (id, path, device, inode, size, mtime_ns, sound_id, artist, genres, scanned) "
                "VALUES (?, ?, '0', ?, 0, 0, ?, ?, ?, '')",
                (number, str(path), str(number), f"sound {name}", f"Artist {name}", genres),
            )
        connection.execute(
            "INSERT INTO models (id, fingerprint, name, labels, exclusive, thresholds, windows, width, used) "
            "VALUES (1, 'f', 'm', '[\"polka\"]', 0, '{}', '{}', 0, '')"
        )
        connection.execute("INSERT INTO predictions VALUES (4, 1, 'polka', 1.0, 0, NULL, '[]', '[1.0]', '[]', '{}')")
        connection.execute("INSERT INTO corrections VALUES ('sound a', '[\"Doom\", \"Blues\"]', '', '')")
        connection.execute("INSERT INTO corrections VALUES ('sound c', '[\"not-mine\"]', '', '')")
    done = here("prepare", tmp_path / "library.db", "--out", tmp_path / "store", "--jobs", 1)
    assert done.code == 0, done.err
    assert "the labels of 2 were corrected by hand, those of 1 come from tags; 1 without a known genre" in done.err
    found = {path.rpartition("/")[2]: genre for path, genre in genres_of(tmp_path / "store").items()}
    assert found == {"a.flac": "Blues; Doom", "b.flac": "rock", "c.flac": "not-mine"}
    column = here("prepare", tmp_path / "library.db", "--out", tmp_path / "other", "--groups", "column:artist")
    assert_refused(column, "need DATA to be a CSV or TSV file")
    assert {track.group for track in read_data(str(tmp_path / "library.db"))[1]} == {"artist a", "artist b", "artist c"}
