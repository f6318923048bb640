"""The one door for audio: any file goes in, mono float32 at the model's rate comes out."""

from genrescope.audio.decoding import SAMPLE_RATE, blocks, decode, from_array, probe
from genrescope.audio.formats import SUFFIXES, files_in
from genrescope.audio.processes import Wanted, decoders
from genrescope.audio.reader import AudioInfo, Samples
from genrescope.audio.resampling import Wave
from genrescope.audio.source import Source, drained, is_file, is_pipe

__all__ = [
    "SAMPLE_RATE", "SUFFIXES", "AudioInfo", "Samples", "Source", "Wanted", "Wave", "blocks", "decode", "decoders",
    "drained", "files_in", "from_array", "is_file", "is_pipe", "probe",
]  # fmt: skip
