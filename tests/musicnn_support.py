"""Checkpoints as TensorFlow writes them, networks with all their weights, and a wheel that holds them."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genrescope import modelfile
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import LogMelSpec
from genrescope.modelfile import Header
from genrescope.models.musicnn import Musicnn
from genrescope.models.tensorflow_checkpoint import crc32c

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Tensors = Mapping[str, npt.NDArray[Any]]

MAGIC = bytes.fromhex("57fb808b247547db")
NOTICE = "Copyright (c) somebody. Permission to use is hereby granted."


def random_taggers(cache: Path, tags: Mapping[str, tuple[str, ...]], *, citation: str = "") -> Path:
    """Put musicnn networks of random weights on a shelf, by their names; return its cache."""
    spec = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
    for seed, (name, labels) in enumerate(tags.items()):
        torch.manual_seed(seed)
        header = Header(
            model="musicnn", labels=labels, front_end=spec, windows=WindowSpec(187, padding="repeat"), exclusive=False,
            recipe={"name": name}, made_with="test", weights=modelfile.Terms(licence="ISC", citation=citation),
        )  # fmt: skip
        modelfile.save(cache / "models" / f"{name}.safetensors", Musicnn(len(labels)).eval(), header)
    return cache


def masked(checksum: int) -> int:
    """Return a checksum as LevelDB stores it."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(number: int) -> bytes:
    """Return a whole number, seven bits a byte, the lowest first."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protocol buffer: a whole number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(tensor: npt.NDArray[Any], offset: int) -> bytes:
    """Return what an index says of a float32 tensor."""
    raw = tensor.astype("<f4").tobytes()
    shape = b"".join(field(2, field(1, size)) for size in tensor.shape)
    message = field(1, 1) + field(2, shape) + (field(4, offset) if offset else b"") + field(5, len(raw))
    return message + varint(6 << 3 | 5) + struct.pack("<I", masked(crc32c(raw)))


def block(items: Mapping[bytes, bytes]) -> bytes:
    """Return a block of a table with its trailer; keys share the prefix of the one before."""
    body, before = b"", b""
    for key, value in items.items():
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    body += struct.pack("<II", 0, 1)
    return body + b"\0" + struct.pack("<I", masked(crc32c(body + b"\0")))


def table(items: Mapping[str, bytes], *, a_block: int = 3) -> bytes:
    """Return a LevelDB table with so many keys in a block."""
    pairs = sorted((key.encode(), value) for key, value in items.items())
    written, index = b"", {}
    for start in range(0, len(pairs), a_block):
        some = dict(pairs[start : start + a_block])
        data = block(some)
        index[max(some)] = varint(len(written)) + varint(len(data) - 5)
        written += data
    handles = b""
    for each in (block({}), block(index)):
        handles += varint(len(written)) + varint(len(each) - 5)
        written += each
    return written + handles.ljust(40, b"\0") + MAGIC


def checkpoint(tensors: Tensors) -> tuple[bytes, bytes]:
    """Return index and data of a checkpoint."""
    items, data = {"": field(1, 1)}, b""
    for name in sorted(tensors):
        items[name] = entry(tensors[name], len(data))
        data += tensors[name].astype("<f4").tobytes()
    return table(items), data


def weights(tags: int = 50, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Return random weights of musicnn by TensorFlow's names, some scales of norms negative, one of them zero."""
    rng = np.random.default_rng(seed)
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51)]
    kernels += [(7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]
    made: dict[str, npt.NDArray[Any]] = {}
    for number, shape in enumerate(kernels):
        name = f"conv2d{f'_{number}' if number else ''}"
        made[f"{name}/kernel"] = rng.normal(0, 1 / np.sqrt(shape[0] * shape[1]), shape)
        made[f"{name}/bias"] = rng.normal(0, 0.1, shape[3])
    for number, count in enumerate((1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)):
        name = f"batch_normalization{f'_{number}' if number else ''}"
        made[f"{name}/gamma"] = rng.choice([-1, 1], count) * rng.uniform(0.5, 1.5, count)
        made[f"{name}/beta"] = rng.normal(0, 0.1, count)
        made[f"{name}/moving_mean"] = rng.normal(0, 0.1, count)
        made[f"{name}/moving_variance"] = rng.uniform(0.5, 1.5, count)
    made["batch_normalization_1/gamma"][7] = 0.0
    for name, inputs, outputs in (("dense", 1506, 200), ("dense_1", 200, tags)):
        made[f"{name}/kernel"] = rng.normal(0, 1 / np.sqrt(inputs), (inputs, outputs))
        made[f"{name}/bias"] = rng.normal(0, 0.1, outputs)
    return {name: array.astype(np.float32) for name, array in made.items()}


def write_wheel(path: Path, changes: Mapping[str, bytes | None] | None = None) -> Path:
    """Write a wheel like musicnn's with random weights and four tags; `changes` replace members, None removes one."""
    members: dict[str, bytes | None] = {
        "musicnn/__init__.py": b"raise RuntimeError('this code must never run')",
        "musicnn/configuration.py": b"raise SystemExit\nSR = 16000\nMSD_LABELS = ['rock', 'pop', 'Hip-Hop', '80s']\n"
        b"MTT_LABELS = ['guitar', 'no vocals', 'slow', 'opera']\n",
        "musicnn-0.1.0.dist-info/LICENSE.md": NOTICE.encode(),
    }
    for seed, folder in enumerate(("MSD_musicnn", "MTT_musicnn")):
        own = weights(4, seed=seed)
        index, data = checkpoint(
            own | {"dense/bias/Adam": own["dense/bias"], "beta1_power": np.array([0.9], np.float32)}
        )
        members |= {f"musicnn/{folder}/.index": index, f"musicnn/{folder}/.data-00000-of-00001": data}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | dict(changes or {})).items():
            if content is not None:
                archive.writestr(zipfile.ZipInfo(name), content)
    return path
