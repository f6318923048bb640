"""Figures for pages: wide and narrow, light and dark, readable in each."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from genrescope.pages import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AA = 4.5
"""Contrast of text that the Web Content Accessibility Guidelines ask for at level AA."""


def contrast(one: Any, other: Any) -> float:
    low, high = sorted((drawing.luminance(one), drawing.luminance(other)))
    return (high + 0.05) / (low + 0.05)


def two_panels(theme: drawing.Theme) -> Figure:
    figure, axes = drawing.panels(theme, 1, 2, size=(10, 3))
    for axis in axes:
        axis.plot([0, 1], [0, 1], color=theme.first)
    return figure


@pytest.mark.parametrize("theme", [drawing.LIGHT, drawing.DARK], ids=["light", "dark"])
def test_text_stands_out_from_paper_and_from_every_cell(theme: drawing.Theme) -> None:
    assert contrast(theme.ink, theme.paper) >= AA
    for share in np.linspace(0, 1, 101):
        assert contrast(theme.ink_on(share), theme.colours(share)) >= AA, share


@pytest.mark.parametrize("theme", [drawing.LIGHT, drawing.DARK], ids=["light", "dark"])
def test_lines_stand_out_from_paper(theme: drawing.Theme) -> None:
    assert min(contrast(theme.first, theme.paper), contrast(theme.second, theme.paper)) >= 3  # what AA asks of graphics


def test_a_narrow_figure_has_its_panels_below_each_other_and_fits_a_telephone() -> None:
    made = drawing.drawn("two", "Two panels", two_panels)
    wide, narrow = (Image.open(io.BytesIO(each.light)) for each in (made.wide, made.narrow))
    assert wide.width > 2 * wide.height
    assert narrow.height > narrow.width
    assert made.narrow.width <= 390 - 32 < made.wide.width  # a page has 16 pixels of margin on each side
    assert made.wide.light != made.wide.dark
    assert made.narrow.light != made.narrow.dark


def test_panels_that_are_left_over_are_hidden() -> None:
    narrow = replace(drawing.LIGHT, narrow=True)
    figure, axes = drawing.panels(narrow, 1, 3, size=(6, 2))
    assert len(axes) == 3
    assert [axis.get_visible() for axis in figure.axes] == [True, True, True, False]


def test_a_size_that_is_kept_stays() -> None:
    narrow = replace(drawing.LIGHT, narrow=True)
    assert drawing.panels(narrow, 1, 1, size=(9, 2), keep=True)[0].get_figwidth() == 9
    assert drawing.panels(narrow, 1, 1, size=(9, 2))[0].get_figwidth() == 4


def test_long_names_are_wrapped() -> None:
    narrow = replace(drawing.LIGHT, narrow=True)
    assert drawing.label("progressive metal of the nineties", narrow) == "progressive metal of\nthe nineties"
    assert drawing.label("x" * 50, drawing.LIGHT) == "x" * 40 + "\n" + "x" * 10
    assert drawing.label("", narrow) == ""


def test_no_type_of_a_figure_is_tiny() -> None:
    figure = two_panels(drawing.LIGHT)
    figure.axes[0].set_title("small", fontsize=3)
    drawing._png(figure)
    assert figure.axes[0].title.get_fontsize() == 8
