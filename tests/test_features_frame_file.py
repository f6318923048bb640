"""Frames of a long track: read in slices like an array, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features import frame_file
from genrescope.features.frame_file import FrameFile


@given(sizes=st.lists(st.integers(0, 50), max_size=8), first=st.integers(0, 200), count=st.integers(0, 200))
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_slices_are_those_of_the_array(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], first: int, count: int, dtype: str
) -> None:
    monkeypatch.setattr(frame_file, "_IN_MEMORY", 200)
    parts = [np.random.default_rng(size).normal(size=(size, 3)).astype(dtype) for size in sizes]
    whole = np.concatenate([np.zeros((0, 3), dtype), *parts])
    kept = FrameFile(parts, width=3, dtype=dtype)
    assert len(kept) == len(whole)
    np.testing.assert_array_equal(kept[first : first + count], whole[first : first + count])
    np.testing.assert_array_equal(kept[:], whole)


def test_only_frames_that_follow_each_other_are_read() -> None:
    kept = FrameFile([np.zeros((10, 2), np.float32)], width=2, dtype="float32")
    with pytest.raises(ValueError, match="every 2th frame"):
        kept[::2]
