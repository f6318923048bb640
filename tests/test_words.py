"""Words that are retired, each with the term to use instead: none stands in README, docs or the help of a command.

What a practitioner searches for comes first: accuracy, soft voting, SVM, ensemble, embedding, baseline, checkpoint.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from cli_support import here

from genrescope import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


class Retired(NamedTuple):
    """A pattern over one line of text, the term to use instead, and an old sentence that it finds."""

    pattern: str
    instead: str
    example: str


RETIRED = [
    Retired(r"tells?", "classifies correctly; reports, shows, lists", "it tells 84.5 % of tracks"),
    Retired(r"(is|are|be|hardly|unless|was|were) told", "is reported; is classified; by default", "pop is hardly told"),
    Retired(r"hears?", "its input is; uses", "the window that a network hears"),
    Retired(r"unheard", "held-out", "scored on unheard artists"),
    Retired(r"(have|has|had|never|not|it) heard", "was trained on", "tracks that it has never heard"),
    Retired(r"heard (tracks|through|once)", "training tracks; augmented; decoded", "one of the heard tracks"),
    Retired(r"listens|listened|listen to", "decodes; computes features", "check listens to every file once"),
    Retired(r"machines? beside|beside (it|them|a network)", "in an ensemble with", "a machine beside it"),
    Retired(r"(SVM|vector machine)s? (beside|together)", "in an ensemble with an SVM", "an SVM beside the network"),
    Retired(r"(the )?machines? (alone|reaches|learns)", "the SVM", "the machine alone reaches 80.2 %"),
    Retired(r"colleague", "ensemble", "the network's colleague"),
    Retired(r"prices? of|as its price", "regularisation parameter C; cost", "price of a window on the wrong side"),
    Retired(r"wrong side", "misclassified", "a window on the wrong side"),
    Retired(r"on (two|both|one) sides?", "in training and test data; in one part", "no artist on two sides"),
    Retired(r"windows? (only )?(vot(e|ed|es|ing))|votes? of (its|all|their|ten)|(does not|only|folds) vote",
            "soft voting, windows averaged", "when its ten windows vote"),
    Retired(r"dealt|deals? (out|into|folds)", "split, assign to folds", "tracks dealt into folds"),
    Retired(r"by heart", "memorised", "what it has learnt by heart"),
    Retired(r"judg(e|es|ed|ing)", "scores, evaluates, classifies", "windows that it judges"),
    Retired(r"surely mistaken", "errors with the highest confidence", "the tracks that were most surely mistaken"),
    Retired(r"(leaks|split|part) ?(are|is|of \S+ is)? worth", "effect of leakage; ablation", "what leaks are worth"),
    Retired(r"careless split", "random split", "what a careless split does"),
    Retired(r"the whole way", "the whole pipeline", "goes the whole way on synthesised music"),
    Retired(r"(on|off) the shelf|the shelf:", "models by name", "a name on the shelf"),
    Retired(r"speaks? for", "belongs to", "the tags that speak for each genre"),
    Retired(r"code of others", "third-party code", "code of others is never run"),
    Retired(r"under other sound", "robustness", "Under other sound"),
    Retired(r"be believed", "calibration (ECE)", "can its confidence be believed"),
    Retired(r"confidences? can be trusted", "calibration (ECE)", "how far confidences can be trusted"),
    Retired(r"honest(ly)? (scores?|measured)|networks? honest", "with intervals; without leakage; SVM baseline",
            "a better model, honestly measured"),
    Retired(r"behind (a low-pass|noise)", "band-limited; in noise", "behind a low-pass at 4 kHz"),
    Retired(r"treble that was cut( off)?", "band-limited", "treble that was cut off"),
    Retired(r"taught", "trained", "a network and an SVM that were taught apart"),
    Retired(r"kept away|keeps .{1,20} away", "held out", "keeps each genre away in turn"),
    Retired(r"called unknown", "marked unknown", "a song is called unknown"),
    Retired(r"rivals?", "competing genres; out-of-distribution", "those are rivals"),
    Retired(r"times ours", "ratio to genrescope", "median, times ours"),
    Retired(r"processor seconds", "CPU seconds", "processor seconds for an hour of sound"),
    Retired(r"who is at it", "an error that names the process", "a second one is told who is at it"),
    Retired(r"stands? and falls? together|stand and fall", "errors are correlated", "tracks stand and fall together"),
]  # fmt: skip


def found_in(text: str) -> list[str]:
    """Return what of the retired words stands in a text, each with the term to use instead."""
    line = " ".join(text.replace("│", " ").split())
    return [
        f"...{line[max(0, hit.start() - 30) : hit.end() + 30]}... : {word.instead}"
        for word in RETIRED
        for hit in re.finditer(rf"\b(?:{word.pattern})(?!\w)", line, re.IGNORECASE)
    ]


def commands(group: Any, prefix: str = "") -> list[str]:
    """Return the words of every command, those of groups included."""
    found = []
    for name, each in group.commands.items():
        found += [prefix + name, *(commands(each, f"{prefix}{name} ") if hasattr(each, "commands") else [])]
    return found


@pytest.mark.parametrize("word", RETIRED, ids=lambda word: word.pattern)
def test_a_retired_word_is_found(word: Retired) -> None:
    assert any(each.endswith(f" : {word.instead}") for each in found_in(word.example)), word.example


def test_a_word_is_found_across_lines_and_not_within_another() -> None:
    assert found_in("no artist stands on\ntwo sides")
    assert found_in("recipe `listener`, listening, storytelling, `heard.jsonl`, foretold, sideways") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_retired_word_stands_on_a_page(page: Path) -> None:
    assert found_in(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", ["", *commands(typer.main.get_command(cli.app))])
def test_no_retired_word_stands_in_the_help_of_a_command(name: str) -> None:
    shown = here(*name.split(), "--help")
    assert shown.code == 0
    assert found_in(shown.out) == []
