"""A browser for tests, and what is measured of every page in it: the size of type and its contrast."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tools.browser import Browser, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEN = """[...document.querySelectorAll('body *')].filter(e =>
    [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && e.checkVisibility())"""
CONTRASTS = f"""{SEEN}.map(e => {{
    const rgb = text => text.match(/[0-9.]+/g).map(Number);
    const linear = part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
    const luminance = rgb => [.2126, .7152, .0722].reduce((sum, weight, n) => sum + weight * linear(rgb[n] / 255), 0);
    const paper = e => getComputedStyle(e).backgroundColor;
    let behind = e;
    while (behind.parentElement && rgb(paper(behind))[3] === 0) behind = behind.parentElement;
    const pair = [getComputedStyle(e).color, paper(behind)].map(rgb).map(luminance).sort((a, b) => a - b);
    return [e.textContent.trim().slice(0, 40), (pair[1] + .05) / (pair[0] + .05)];
}})"""
SIZES = f"{SEEN}.map(e => [e.textContent.trim().slice(0, 40), parseFloat(getComputedStyle(e).fontSize)])"
SMALLEST = 12.0
"""CSS pixels of the smallest type."""
AA = 4.5
"""Contrast of text that the Web Content Accessibility Guidelines ask for at level AA."""


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Start a browser; where there is none the test is skipped."""
    program = chromium()
    if program is None:
        pytest.skip("this machine has no Chromium (`make browser` installs it where it may)")
    try:
        running = Browser(program)
    except OSError as error:
        pytest.skip(f"{program} does not start here: {error}")
    with running:
        yield running


def failing(pairs: list[tuple[str, float]], least: float) -> list[tuple[str, float]]:
    """Return what lies below the least value, with its value."""
    assert pairs, "nothing was seen"
    return [(name, round(value, 2)) for name, value in pairs if value < least]
