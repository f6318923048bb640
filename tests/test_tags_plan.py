"""Which genres are written for a song, and when what stands there is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tagging_support import predictions

from genrescope.errors import DataError
from genrescope.tags import id3v1, plan
from genrescope.tags.plan import Decision, Rules, Scored, decide
from genrescope.tags.predictions import read

if TYPE_CHECKING:
    from typing import Any

SIGMOID = Scored({"hiphop": 0.9, "pop": 0.7, "rock": 0.4}, labels=("hiphop", "pop"))
SOFTMAX = Scored({"hiphop": 0.6, "pop": 0.3, "rock": 0.1})
GENERIC = plan.generic_words()
MAP = plan.load_map()


@pytest.mark.parametrize(
    ("scored", "rules", "genres"),
    [
        (SIGMOID, {}, ("Hip-Hop",)),
        (SIGMOID, {"count": 3}, ("Hip-Hop", "Pop")),
        (SIGMOID, {"count": 3, "minimum": 0.4}, ("Hip-Hop", "Pop", "Rock")),
        (SIGMOID, {"count": 3, "minimum": 0.8}, ("Hip-Hop",)),
        (SIGMOID, {"count": 3, "minimums": {"hiphop": 0.95}}, ("Pop",)),
        (SIGMOID, {"count": 3, "minimums": {"rock": 0.3}}, ("Hip-Hop", "Pop", "Rock")),
        (SIGMOID, {"minimum": 0.95}, ()),
        (SOFTMAX, {"count": 3}, ("Hip-Hop",)),
        (SOFTMAX, {"count": 3, "minimum": 0.2}, ("Hip-Hop", "Pop")),
        (Scored({"rock": 0.5}, labels=()), {}, ()),
        (Scored({"rock": 0.5}, unknown=True), {}, ()),
        (Scored({"rock": 0.5}, withheld=True), {}, ()),
        (Scored({"zeuhl": 0.5}), {}, ("zeuhl",)),
    ],
)
def test_labels_that_count_are_proposed(scored: Scored, rules: dict[str, Any], genres: tuple[str, ...]) -> None:
    found = plan.proposed(scored, Rules(map=MAP, **rules))
    assert found[0] == genres
    assert len(found[1]) == len(genres)


def test_a_map_gives_other_words_several_or_none(tmp_path: Path) -> None:
    path = tmp_path / "genres.toml"
    path.write_text('hiphop = ["Hip-Hop", "Rap"]\npop = ""\nrock = "Rap"\n')
    rules = Rules(3, 0.1, map=plan.load_map(path))
    assert plan.proposed(SOFTMAX, rules)[:2] == (("Hip-Hop", "Rap"), (0.6, 0.6))
    assert decide([], Scored({"pop": 1.0}), rules).why == "the map writes nothing for pop"
    path.write_text('pop = "12"\n')
    with pytest.raises(DataError, match=r"genres\.toml, pop: '12' cannot be written"):
        plan.load_map(path)


@pytest.mark.parametrize(
    ("present", "rules", "action", "why"),
    [
        ([], {}, "write", "no genre"),
        (["Other"], {}, "write", "generic"),
        (["other ", "UNKNOWN"], {}, "write", "generic"),
        (["(12)"], {}, "write", "generic"),
        (["255"], {}, "write", "generic"),
        (["Other", "My own"], {}, "keep", "has a genre"),
        (["Rock"], {}, "keep", "has a genre"),
        (["(17)"], {}, "keep", "has a genre"),
        (["Rock"], {"replace": True}, "write", "replaces"),
        (["Stuff"], {"generic": plan.generic_words(["stuff"])}, "write", "generic"),
        (["hiphop"], {"replace": True}, "keep", "is so already"),
    ],
)
def test_a_genre_is_kept_unless_it_is_generic_or_to_be_replaced(
    present: list[str], rules: dict[str, Any], action: str, why: str
) -> None:
    decision = decide(present, SOFTMAX, Rules(**{"generic": GENERIC, **rules}))
    assert (decision.action, decision.why) == (action, why)
    assert decision.genres == ("hiphop",)


def test_why_nothing_is_proposed_is_said() -> None:
    assert decide([], Scored({"rock": 0.5}, unknown=True), Rules()) == Decision("skip", "unknown to the model")
    limited = Scored({"jazz": 0.79, "rock": 0.1}, (), thresholds={"jazz": 0.86})
    for scored, rules, why in (
        (limited, Rules(), "jazz 0.79, which needs 0.86"),
        (limited, Rules(minimums={"jazz": 0.7901}), "jazz 0.7900, which needs 0.7901"),
        (Scored({"folk": 0.8}, (), thresholds={"jazz": 0.86}), Rules(), "folk 0.80, which has none"),
        (Scored({"folk": 0.8}, ()), Rules(), "folk 0.80"),
        (SIGMOID, Rules(minimum=0.95), "hiphop 0.90, which needs 0.95"),
    ):
        assert decide([], scored, rules).why == f"none reaches its threshold ({why})"


@pytest.mark.parametrize("given", [["x"], ["1.5"], ["nan"], ["rock="], ["=0.5"], ["0.5", "0.6"]])
def test_a_lowest_confidence_is_a_number(given: list[str]) -> None:
    with pytest.raises(DataError, match="accepted is a number from 0 to 1"):
        plan.minimums(given)


def test_every_number_of_id3v1_has_its_name_and_number() -> None:
    names = [id3v1.name_of(f"({number})") for number in range(192)]
    assert names[7] == "Hip-Hop"
    numbers = [id3v1.number_of(name) for name in names]
    assert sum(number == place for place, number in enumerate(numbers)) >= 190  # few names are there twice
    assert id3v1.number_of("Rhythm and Blues") is None


# -- files of predictions -----------------------------------------------------------------------------------------


def test_predictions_are_read_from_json_lines(tmp_path: Path) -> None:
    song = tmp_path / "a, b.mp3"
    found = read(predictions(tmp_path / "p.jsonl", [song], extra=1))
    assert found.songs == {song: Scored({"hiphop": 0.9, "pop": 0.6, "rock": 0.1}, ("hiphop", "pop"))}
    assert (found.models, found.thresholds) == (frozenset(["0123456789abcdef"]), True)
    link = tmp_path / "link.mp3"
    link.symlink_to(song)
    assert found.of(link) == found.songs[song]
    assert found.of(tmp_path / "other.mp3") is None
    for scores in ({"hiphop": 0.7, "pop": 0.2, "rock": 0.1}, {"hiphop": 0.7}):  # the second by predict --top 1
        exclusive = read(predictions(tmp_path / "q.jsonl", [song], scores, labels=[]))
        assert exclusive.songs[song].labels is None
        assert not exclusive.thresholds
    below = read(predictions(tmp_path / "s.jsonl", [song], labels=[]))
    assert below.songs[song].labels == (), "none reaches its threshold: no reason to write the highest"
    assert below.thresholds
    withheld = read(predictions(tmp_path / "r.jsonl", [song], genre=None))
    assert withheld.songs[song].withheld


@pytest.mark.parametrize(
    "text",
    [
        "path,genre,confidence,unknown,seconds,warning,pop,hiphop\na.mp3,hiphop,0.9,False,1.0,,0.6,0.9\n",
        "path,artist,title,album,genre,confidence,unknown,seconds,warning,hiphop,pop,identity,model\n"
        "a.mp3,x,y,z,hiphop,0.9,True,1.0,,0.9,0.6,1:2:3:4,abc\n",
        "path,genre,confidence,unknown,seconds,warning,genre_1,score_1,genre_2,score_2,identity,model\n"
        "a.mp3,hiphop,0.9,False,1.0,,hiphop,0.9,pop,0.6,1:2:3:4,abc\n",
    ],
)
def test_predictions_are_read_from_csv(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    scored = read(path).songs[Path("a.mp3")]
    assert list(scored.scores.items()) == [("hiphop", 0.9), ("pop", 0.6)]
    assert scored.unknown == ("True" in text)
    assert scored.labels is None


@pytest.mark.parametrize("text", ["", "{}\n", '{"path": "a", "scores": {"a": "x"}, "genre": "a"}\n', "hello\n"])
def test_what_is_no_file_of_predictions_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="predict --out has written"):
        read(path)
    with pytest.raises(DataError):
        read(path.with_suffix(".csv"))
