"""The ten invented styles of `genrescope.synth`, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.synth.voices import DRUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "hirajoshi": (0, 2, 3, 7, 8),
}
"""Semitones above the tonic, by name."""


@dataclass(frozen=True)
class Style:
    """An invented style of music.

    A bar is written as a string with one sign for each step: `x` a stroke (of all chord tones), `o` a soft one,
    a digit a chord tone (1 the root, 3, 5, 7, 8 the octave), `-` the note is held, `.` silence.

    Attributes:
        idea: what it is, in one line.
        tempo: slowest and fastest, in beats per minute.
        beats: beats in a bar.
        grid: steps in a beat: 2 eighths, 3 triplets, 4 sixteenths.
        swing: how late every second step comes, as a share of a step.
        scale: a name in `SCALES`.
        progressions: chords of successive bars, as scale degrees from 0.
        chord: its tones, in scale steps above the root.
        drums: patterns by drum, one of which an artist takes.
        bass: patterns of the bass.
        comp: patterns of the chords.
        rhythms: patterns of the melody.
        leads: instruments of the melody, of which an artist takes one.
        harmony: instruments of the chords.
        basses: instruments of the bass.
        octave: semitones from the chords up to the melody.
        form: the order of sections: i introduction, A and B with the melody's first and second motif, V without melody,
            C without rhythm, G rhythm alone.
        levels: dB of drums, bass, chords and lead.
        room: reverberation in seconds, and its strength.
        loose: spread of the players' timing, in seconds.
        drive: dB of saturation.
    """

    idea: str
    tempo: tuple[float, float]
    beats: int
    grid: int
    swing: float
    scale: str
    progressions: tuple[tuple[int, ...], ...]
    chord: tuple[int, ...]
    drums: Mapping[str, tuple[str, ...]]
    bass: tuple[str, ...]
    comp: tuple[str, ...]
    rhythms: tuple[str, ...]
    leads: tuple[str, ...]
    harmony: tuple[str, ...]
    basses: tuple[str, ...]
    octave: int
    form: str
    levels: tuple[float, float, float, float]
    room: tuple[float, float]
    loose: float
    drive: float


def _style(idea: str, numbers: tuple[float, float, int, int, float], scale: str, text: str, mix: str) -> Style:
    """Read a style from its lines `name: value | value`; the table below stays a table."""
    rows = {key.strip(): value for key, _, value in (line.partition(":") for line in text.strip().splitlines())}
    lists = {key: tuple(item.strip() for item in value.split("|")) for key, value in rows.items()}
    chords = [tuple(int(degree) for degree in item) for item in lists["chords"]]
    slow, fast, beats, grid, swing = numbers
    octave, drums, bass, comp, lead, seconds, wet, loose, drive = (float(word) for word in mix.split())
    return Style(
        idea, (slow, fast), beats, grid, swing, scale, tuple(chords[1:]), chords[0],
        {key: value for key, value in lists.items() if key in DRUMS},
        lists["bass"], lists["comp"], lists["lead"], lists["leads"], lists["harmony"], lists["basses"],
        int(octave), rows["form"].strip(), (drums, bass, comp, lead), (seconds, wet), loose, drive,
    )  # fmt: skip


# In `chords` the chord's own tones stand first. `mix` is: octave, dB of drums, bass, chords, lead, room, wet,
# looseness in seconds, drive in dB.
STYLES: dict[str, Style] = {
    "emberwalk": _style(
        "slow late-night shuffle: a walking bass under sevenths",
        (66, 92, 4, 3, 0.0),
        "dorian",
        """
        chords: 0246 | 0303 | 0343 | 0153
        kick: x.....x..... | x....ox.....
        brush: ...x.o...x.o | ...x.....x..
        ride: x..x.xx..x.x | x.xx.xx.xx.x
        bass: 1--3--5--6-- | 1--5--8--5-- | 1-----5--3--
        comp: x-----x-.x-- | ..x-----x--- | x--x--------
        lead: x-xx--x-x--- | ..x--x-xx--- | x-----..xx-x
        leads: reed | brass | string | keys
        harmony: keys | organ
        basses: upright | finger
        form: iAABC
        """,
        "12 -3 0 -3 0 1.1 0.25 0.009 3",
    ),
    "tidebell": _style(
        "a slow waltz of bells over long pads, always rising",
        (64, 88, 3, 4, 0.0),
        "lydian",
        """
        chords: 0247 | 0104 | 0515 | 0451
        shaker: o...o...o... | o.o.o.o.o.o.
        frame: x........... | x.......o...
        chime: x........... | ......x.....
        bass: 1----------- | 1-------5---
        comp: 1-3-5-7-5-3- | 13578753.... | x-----------
        lead: x---x---x-x- | x-------x--- | x-----x-x-x-
        leads: bell | flute | mallet
        harmony: pad | bell | choir
        basses: sub | finger
        form: iABAB
        """,
        "12 -7 -2 0 1 2.2 0.5 0.006 1",
    ),
    "ironpulse": _style(
        "a machine that marches: four kicks to the bar and a growling sequence",
        (116, 140, 4, 4, 0.0),
        "phrygian",
        """
        chords: 024 | 0010 | 0605 | 0051
        kick: x...x...x...x... | x...x...x...x.x.
        clap: ....x.......x... | ....x.......x..o
        hat: ..x...x...x...x. | x.xxx.xxx.xxx.xx
        tom: .............o.o | ..........o..o..
        bass: 1.1.1.8.1.1.3.1. | ..11..11..11..81 | 1-.11-.11-.13-5-
        comp: x-..x-..x-..x-.. | x-----x-----x--- | ...x-.....x-....
        lead: x-.x-.x-x-.x-.x- | x-x-x---....x-x-
        leads: saw | square | fuzz
        harmony: saw | pad | square
        basses: growl | sub
        form: iVABG
        """,
        "12 2 0 -6 -3 0.6 0.12 0.001 7",
    ),
    "lanternstep": _style(
        "a procession in five: plucked strings, a flute, hands on wood",
        (92, 120, 5, 2, 0.12),
        "hirajoshi",
        """
        chords: 023 | 0030 | 0213 | 0044
        frame: x.....x... | x..x..x...
        wood: ..o.x...x. | x.o.x.o.xo
        shaker: oooooooooo | o.o.o.o.o.
        bass: 1-----4--- | 1--1--4---
        comp: 1-4-x-4-x- | x-----x--- | 1.3.8.4.3.
        lead: x-x-x---x- | x-xxx-x--- | x---x-x-..
        leads: flute | string | bow
        harmony: lute | string
        basses: finger | upright
        form: iAVAB
        """,
        "12 -2 -2 0 1 1.3 0.3 0.008 2",
    ),
    "prismlace": _style(
        "small figures that repeat and shift, quick and bright as cut glass",
        (104, 132, 4, 4, 0.0),
        "major",
        """
        chords: 0247 | 0415 | 0353 | 0504
        kick: x.......x....... | x.....x.....x...
        wood: ..o...o...o...o. | o..o..o..o..o.o.
        shaker: o.o.o.o.o.o.o.o. | oooooooooooooooo
        bass: 1-------5------- | 1-----5-----8---
        comp: 1353853513538535 | 1.5.3.5.8.5.3.5. | 135.135.135.1358
        lead: x-------x---x--- | x---x-----x-x--- | x-x-x-x-x-------
        leads: mallet | flute | bell | square
        harmony: mallet | keys | lute
        basses: sub | finger
        form: iABAC
        """,
        "12 -6 -2 1 0 1.4 0.3 0.003 2",
    ),
    "brassgale": _style(
        "a fast swinging band: shouting brass, running bass",
        (138, 184, 4, 3, 0.0),
        "mixolydian",
        """
        chords: 0246 | 0303 | 0154 | 0640
        kick: x..x..x..x.. | x.....x....x
        snare: ...x....ox.. | ..ox.....x.o
        ride: x..x.xx..x.x | x..x.xx..x.x
        bass: 1--3--5--6-- | 1--5--3--5-- | 8--7--5--3--
        comp: x.......x... | ..x-----x... | x--x-.....x-
        lead: x-xx-xx--... | ..xx--x-x--- | x--x-xx-xx--
        leads: brass | reed | keys
        harmony: brass | organ | keys
        basses: upright | finger
        form: iABCB
        """,
        "12 0 0 -1 1 0.9 0.2 0.007 4",
    ),
    "dustreel": _style(
        "a reel for bare feet: a fiddle that never rests over strings and a frame drum",
        (96, 124, 4, 3, 0.0),
        "mixolydian",
        """
        chords: 024 | 0060 | 0306 | 0406
        frame: x..o..x..o.o | x.ox.ox.ox.o
        shaker: oooooooooooo | o.oo.oo.oo.o
        rim: ...x.....x.. | ......x.....
        bass: 1-----5----- | 1--1--5--1--
        comp: 1.x1.x1.x1.x | x.xx.xx.xx.x | x-----------
        lead: xxxx-xxxxx-x | x-xxxxx-xxxx | x--x-xxxxx--
        leads: bow | reed | flute | lute
        harmony: string | lute | organ
        basses: upright | finger
        form: iABAB
        """,
        "12 -2 -2 -1 2 0.8 0.2 0.010 3",
    ),
    "nightmoss": _style(
        "hardly a beat: low choirs, far bells, rain",
        (60, 84, 4, 2, 0.0),
        "aeolian",
        """
        chords: 0248 | 0055 | 0535 | 0033
        chime: x....... | ......o.
        shaker: ..o...o. | o.o.o.o.
        tom: o....... | o....o..
        bass: 1------- | 1---8---
        comp: x------- | x---x---
        lead: x---x--- | ..x----- | x-----x-
        leads: flute | bell | keys | choir
        harmony: choir | pad | organ
        basses: sub | bow
        form: iAVCA
        """,
        "12 -8 0 0 -3 2.6 0.6 0.012 1",
    ),
    "copperstomp": _style(
        "heavy boots: overdriven chords, a half-time snare",
        (84, 116, 4, 4, 0.0),
        "aeolian",
        """
        chords: 047 | 0056 | 0354 | 0606
        kick: x.....x.x.x..... | x..x....x.x...x.
        snare: ....x.......x... | ........x.......
        hat: x.x.x.x.x.x.x.x. | x...x...x...x...
        open: x............... | ..............x.
        bass: 1-.11-..1-1-..3- | 1---1-1-1-1-5-3-
        comp: x-.xx-..x-x-..x- | x-------x-x-x--- | x---x-x-x---x-x-
        lead: x---x-x-x------- | x-x-x---x-x-x---
        leads: fuzz | saw | brass
        harmony: fuzz | saw | organ
        basses: growl | finger
        form: iVABA
        """,
        "12 4 0 -7 -4 0.7 0.15 0.005 8",
    ),
    "sunhopper": _style(
        "chords on every offbeat, steel pans, hands on skins",
        (94, 124, 4, 4, 0.1),
        "major",
        """
        chords: 024 | 0340 | 0434 | 0534
        kick: x.....x.x.....x. | ........x.......
        conga: ..x..x....x.xx.. | ...x..xx...x..xx
        rim: x..x..x...x.x... | ....x.......x...
        hat: x.o.x.o.x.o.x.o. | ..x...x...x...x.
        bass: 1-..1-5-..1-3-5- | ..1-..3-5-..1---
        comp: ..x...x...x...x. | ..xx..x...xx..x. | ..x-..x-..x-..x-
        lead: x-x-x..x-.x-x--- | ..x-x-x-..x-x-x-
        leads: pan | string | brass | mallet
        harmony: organ | lute | keys
        basses: finger | sub
        form: iAVAB
        """,
        "12 -1 1 -2 0 0.9 0.2 0.006 3",
    ),
}
"""The ten styles by name."""
