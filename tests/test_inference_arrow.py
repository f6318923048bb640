"""Results as tables of pandas and Arrow: a row for each song, failures with their reasons."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import genrescope
from genrescope import Failure, Prediction
from genrescope.extras import MissingPackageError

SCORES = {"jazz": 0.75, "rock": 0.2, "name": 0.05}
GOOD = Prediction(Path("a.mp3"), "a.mp3", "jazz", 0.75, SCORES, (), 2.0, labels=("jazz",))
BAD = Failure(Path("b.mp3"), "b.mp3", "libsndfile: no sound")


def test_a_table_of_pandas_has_a_row_for_each_song_in_order() -> None:
    given: list[Prediction | Failure] = [BAD, GOOD, replace(GOOD, path=None, name="5 bytes", warning="short")]
    frame = genrescope.to_pandas(iter(given))
    assert list(frame.columns) == [
        "path", "name", "genre", "confidence", "unknown", "labels", "seconds", "warning", "error", "jazz", "rock",
        "name (score)",
    ]  # fmt: skip
    assert frame["name"].tolist() == ["b.mp3", "a.mp3", "5 bytes"]
    assert frame["genre"].isna().tolist() == [True, False, False]
    assert frame["path"].isna().tolist() == [False, False, True]
    assert frame["error"].tolist()[0] == "libsndfile: no sound"
    assert frame["error"].isna().tolist() == [False, True, True]
    assert math.isnan(frame["jazz"][0])
    assert frame["jazz"][1:].tolist() == [0.75, 0.75]
    assert list(frame["labels"][1]) == ["jazz"]
    assert frame.groupby("genre")["confidence"].mean().to_dict() == {"jazz": 0.75}


def test_a_table_of_arrow_has_types_and_embeddings_where_there_are_some() -> None:
    table = genrescope.to_arrow([replace(GOOD, embedding=np.arange(3, dtype=np.float32)), BAD])
    types = {field.name: str(field.type) for field in table.schema}
    assert types["confidence"] == types["jazz"] == "double"
    assert (types["unknown"], types["path"]) == ("bool", "string")
    assert types["embedding"].startswith("list<")
    assert table["embedding"].to_pylist() == [[0.0, 1.0, 2.0], None]
    assert table["unknown"].to_pylist() == [False, None]
    assert "embedding" not in genrescope.to_arrow([GOOD]).column_names


def test_no_results_are_an_empty_table_and_failures_alone_have_no_scores() -> None:
    assert genrescope.to_pandas([]).shape == (0, 9)
    assert genrescope.to_arrow([BAD]).shape == (1, 9)


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
def test_names_that_are_no_text_are_shown_escaped() -> None:
    odd = Path(os.fsdecode(b"caf\xe9.mp3"))
    assert genrescope.to_arrow([replace(GOOD, path=odd)])["path"].to_pylist() == ["caf\\xe9.mp3"]


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrescope.extras.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"pandas, pyarrow, an extra: pip install 'genrescope\[tables\]'"):
        genrescope.to_pandas([GOOD])
