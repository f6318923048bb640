"""The one door for audio: any file goes in, mono float32 at the model's rate comes out."""

from genrescope.audio.decoding import SAMPLE_RATE, blocks, decode, from_array, probe
from genrescope.audio.excerpts import Excerpts, excerpts
from genrescope.audio.formats import SUFFIXES, Walk, files_in, irregular, walk
from genrescope.audio.identity import FileKey, sound_id
from genrescope.audio.processes import Wanted, decoders
from genrescope.audio.reader import AudioInfo, Samples
from genrescope.audio.resampling import Wave
from genrescope.audio.source import File, Source, drained, is_pipe, name_of, to_source

__all__ = [
    "SAMPLE_RATE", "SUFFIXES", "AudioInfo", "Excerpts", "File", "FileKey", "Samples", "Source", "Walk", "Wanted",
    "Wave", "blocks", "decode", "decoders", "drained", "excerpts", "files_in", "from_array", "irregular", "is_pipe",
    "name_of", "probe", "sound_id", "to_source", "walk",
]  # fmt: skip
