"""The one door for audio: any file goes in, mono float32 at the model's rate comes out."""

from genrescope.audio.decoders import AudioInfo, Samples, Source
from genrescope.audio.decoding import SAMPLE_RATE, SUFFIXES, Wave, blocks, decode, files_in, from_array, probe

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "AudioInfo",
    "Samples",
    "Source",
    "Wave",
    "blocks",
    "decode",
    "files_in",
    "from_array",
    "probe",
]
