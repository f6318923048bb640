"""What a check found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.check import faults
from genrescope.store.index import genre_counts

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.check.faults import Finding
    from genrescope.check.listen import FileMeasurements
    from genrescope.sources.track import Track
    from genrescope.splits.duplicates import Pair

FORMAT = 1
FILE_NAME, PAGE_NAME, NOTES_NAME = "check.json", "check.html", "heard.jsonl"
_NOT_TOLD = ("marks", "mtime_ns")


@dataclass(frozen=True)
class Checked:
    """What `check` found.

    Attributes:
        data: what was checked, as given.
        tracks: its tracks, sorted by id.
        measurements: what was measured of each, in the same order.
        pairs: the duplicates among them.
        findings: the faults, the severest first.
        computed: number of files that were read in this run; the others were known from an earlier one.
        seconds: how long it took.
        out: folder of the results.
    """

    data: str
    tracks: tuple[Track, ...]
    measurements: tuple[FileMeasurements, ...]
    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    computed: int
    seconds: float
    out: Path

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.out / PAGE_NAME

    def count(self, severity: str) -> int:
        """Return how many findings have a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `check.json`."""
        kinds = Counter(finding.kind for finding in self.findings)
        return {
            "format": FORMAT,
            "data": self.data,
            "tracks": len(self.tracks),
            "genres": genre_counts(track.genre for track in self.tracks),
            "hours": round(sum(sound.seconds for sound in self.measurements) / 3600, 3),
            "severities": {severity: self.count(severity) for severity in faults.SEVERITIES},
            "kinds": {kind: kinds[kind] for kind in faults.KINDS if kinds[kind]},
            "findings": [
                {"kind": each.kind, "severity": each.severity, "tracks": list(each.tracks), "reason": each.reason}
                for each in self.findings
            ],
            "pairs": [vars(pair) for pair in self.pairs],
            "files": [
                {"genre": track.genre, "group": track.group}
                | {name: value for name, value in vars(sound).items() if name not in _NOT_TOLD}
                for track, sound in zip(self.tracks, self.measurements, strict=True)
            ],
        }
