"""What counts as a fault: from what was measured to what is said, each limit in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.check.containers import suits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genrescope.check.listen import FileMeasurements
    from genrescope.sources.track import Track
    from genrescope.splits.duplicates import Pair

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        severity: `error`, cannot or must not be trained on; `warning`, makes scores say something else than they
            seem to; `note`, worth knowing.
        meaning: what it is, and why it matters.
    """

    severity: str
    meaning: str


KINDS = {
    "unreadable": Kind("error", "no decoder can read the file"),
    "empty": Kind("error", "a file without any sound"),
    "truncated": Kind("error", "the file ends before its header says"),
    "damaged": Kind("error", "a part in the middle of the file is missing, or cannot be decoded"),
    "non-finite": Kind("error", "the sound holds NaN or infinity, or samples next to it"),
    "silent": Kind("error", "silent from beginning to end"),
    "constant": Kind("error", "every sample has the same value"),
    "label-conflict": Kind("error", "one recording under two genres: one of the labels is wrong for this data set"),
    "too-short": Kind("warning", "shorter than one window, which is then filled up with silence"),
    "mostly-silent": Kind("warning", "more silence than sound: many windows show nothing"),
    "clipped": Kind("warning", "flat tops where the sound went beyond full scale"),
    "one-sided": Kind("warning", "one of two channels is silent: mixed to mono it is half as loud"),
    "out-of-phase": Kind("warning", "the channels cancel each other when they are mixed to mono"),
    "low-bandwidth": Kind("warning", "the treble is cut off (upsampled or low bit rate): a network may learn the cut"),
    "wrong-extension": Kind("warning", "the name's ending is that of another format; some programs will refuse it"),
    "exact-duplicate": Kind("warning", "the same samples twice, whatever the container"),
    "near-duplicate": Kind("warning", "the same recording twice: re-encoded, cut, shifted, at another level or speed"),
    "few-tracks": Kind("warning", "too few tracks of a genre to learn it and to be tested on it"),
    "few-artists": Kind("warning", "too few artists of a genre to have some in training and others in the test"),
    "unusual-rate": Kind("note", "a sample rate unlike the rest: the bandwidth may reveal the source, not the music"),
}  # fmt: skip
"""Every kind of fault, in the order of a report."""

WINDOW_SECONDS = 128 * 512 / 22_050
MOSTLY = 0.5  # share of moments
CLIPPED = 1e-3  # share of samples
ONE_SIDED = 40.0  # dB between the channels
CANCELLED = 10.0  # dB lost in the mix
CLIFF, CUTOFF = 20.0, 9_300.0  # dB, and Hz: of the 11,025 in a model's input; common encoders begin to cut at 10,000
USUAL_RATES = frozenset({22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000})
COMMON = 0.9  # share of files that makes a rate the rule
FEWEST_TRACKS, FEWEST_ARTISTS = 10, 3  # three artists: one each to train, validate and test


@dataclass(frozen=True)
class Finding:
    """A fault that was found.

    Attributes:
        kind: one of `KINDS`.
        tracks: ids of the tracks concerned; empty where a genre is.
        reason: what was measured, and what was expected.
    """

    kind: str
    tracks: tuple[str, ...]
    reason: str

    @property
    def severity(self) -> str:
        """Severity of its kind."""
        return KINDS[self.kind].severity


def judge(tracks: Sequence[Track], measurements: Sequence[FileMeasurements], pairs: Sequence[Pair]) -> list[Finding]:
    """Return all faults of a data set, the severest first.

    Args:
        tracks: its tracks.
        measurements: what was measured of each, in the same order.
        pairs: its duplicates.
    """
    rate = _common_rate(measurements)
    found = [
        finding for track, file in zip(tracks, measurements, strict=True) for finding in _of_file(track, file, rate)
    ]  # fmt: skip
    found += _of_pairs(pairs, {track.id: track.genre for track in tracks})
    found += _of_genres(tracks, measurements)
    order = list(KINDS)
    return sorted(found, key=lambda finding: (order.index(finding.kind), finding.tracks, finding.reason))


def _of_file(track: Track, file: FileMeasurements, rate: int | None) -> Iterator[Finding]:
    def found(kind: str, reason: str) -> Finding:
        return Finding(kind, (track.id,), reason)

    if file.fault:
        yield found(file.fault, file.reason)
    if not file.codec:
        return
    ending = track.path.suffix.lstrip(".")
    if ending and not suits(file.codec, ending):
        yield found("wrong-extension", f"its name ends in .{ending}, but it is {file.codec}")
    if file.spread == 0:
        level = f"every sample is {file.peak:g}" if file.peak else f"{file.seconds:.1f} s of digital silence"
        yield found("constant" if file.peak else "silent", level)
        return
    channels = list(_of_channels(file))
    yield from (found(kind, reason) for kind, reason in channels)
    if file.silent == 1 and not channels:  # cancelled channels are silent once they are mixed
        yield found("silent", "its level never reaches -60 dB of full scale")
        return
    if file.seconds < WINDOW_SECONDS:
        yield found("too-short", f"{file.seconds:.2f} s; a window has {WINDOW_SECONDS:.2f} s")
    if file.silent > MOSTLY and not channels:
        yield found("mostly-silent", f"{100 * file.silent:.0f} % of it is below -60 dB of full scale")
    if file.clipped > CLIPPED:
        yield found("clipped", f"{100 * file.clipped:.2g} % of its samples stand in flat tops")
    if file.sample_rate / 2 < CUTOFF:
        yield found(
            "low-bandwidth", f"its rate of {file.sample_rate:,} Hz holds nothing above {file.sample_rate // 2:,} Hz"
        )
    elif file.cliff >= CLIFF and file.cutoff < CUTOFF:
        yield found("low-bandwidth", f"the spectrum falls by {file.cliff:.0f} dB at {file.cutoff:,.0f} Hz")
    if file.sample_rate not in USUAL_RATES or (rate is not None and file.sample_rate != rate):
        rest = f"; {rate:,} Hz is the rule here" if rate and rate != file.sample_rate else ""
        yield found("unusual-rate", f"{file.sample_rate:,} Hz{rest}")


def _of_channels(file: FileMeasurements) -> Iterator[tuple[str, str]]:
    if file.balance >= ONE_SIDED:
        yield "one-sided", f"one channel is {file.balance:.0f} dB softer than another"
    elif file.cancelled >= CANCELLED:
        yield "out-of-phase", f"mixed to mono it loses {file.cancelled:.0f} dB"


def _of_pairs(pairs: Sequence[Pair], genre: dict[str, str]) -> Iterator[Finding]:
    for pair in pairs:
        both = (pair.first, pair.second)
        if pair.kind == "exact":
            how = "the same samples"
        else:
            how = f"{100 * pair.share:.0f} % of the landmarks of {pair.overlap:.1f} s in common"
            how += f", {abs(pair.offset):.1f} s apart" if abs(pair.offset) >= 0.05 else ""
            how += f", speed {pair.speed:.3f}" if abs(pair.speed - 1) >= 0.001 else ""
        yield Finding(f"{pair.kind}-duplicate", both, how)
        if genre[pair.first] != genre[pair.second]:
            yield Finding("label-conflict", both, f"{genre[pair.first]} and {genre[pair.second]}; {how}")


def _of_genres(tracks: Sequence[Track], measurements: Sequence[FileMeasurements]) -> Iterator[Finding]:
    members: dict[str, list[Track]] = {track.genre: [] for track in tracks}
    for track, file in zip(tracks, measurements, strict=True):
        if not file.fault:
            members[track.genre].append(track)
    for genre, its in sorted(members.items()):
        if len(its) < FEWEST_TRACKS:
            yield Finding("few-tracks", (), f"{genre}: {len(its)} usable; {FEWEST_TRACKS} are the least")
        artists = {track.group for track in its if track.group}
        if artists and len(artists) < FEWEST_ARTISTS and all(track.group for track in its):
            yield Finding("few-artists", (), f"{genre}: {len(artists)}; {FEWEST_ARTISTS} are the least")


def _common_rate(measurements: Sequence[FileMeasurements]) -> int | None:
    rates = [file.sample_rate for file in measurements if file.sample_rate]
    most = max(set(rates), key=rates.count, default=None)
    return most if most is not None and rates.count(most) >= COMMON * len(rates) else None
