"""A published audio network of Hugging Face transformers: waves in, the mean of every hidden layer out.

| kind | architectures | rate | window | what is taken |
|---|---|---|---|---|
| `ast` | `audio-spectrogram-transformer` | its own, 16 kHz | its own, 10.24 s | mean of the patches, every layer |
| `wave` | `hubert`, `wav2vec2`, `wavlm`, `mert_model` | its own | 10 s; 5 s for MERT | mean over time, every layer |
| `clap` | `clap`, `clap_audio_model` | its own, 48 kHz | its own, 10 s | the pooled output of the audio tower |

Sources: Y. Gong et al., AST: Audio Spectrogram Transformer, 2021; W.-N. Hsu et al., HuBERT, 2021; A. Baevski et al.,
wav2vec 2.0, 2020; Y. Li et al., MERT, 2023; Y. Wu et al., Large-scale contrastive language-audio pretraining, 2022.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from genrescope.errors import DataError, ModelFileError, TrainingError
from genrescope.files import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio import Wave

Features: TypeAlias = npt.NDArray[np.float32]
Kind = Literal["ast", "wave", "clap"]

KINDS: dict[str, Kind] = {
    "audio-spectrogram-transformer": "ast",
    "hubert": "wave",
    "wav2vec2": "wave",
    "wavlm": "wave",
    "mert_model": "wave",
    "clap": "clap",
    "clap_audio_model": "clap",
}
"""The architectures that are known, by the name their configuration gives them."""

MEAN = "mean"
"""The layer that stands for the mean of all."""

BATCH = 8
"""Windows that the network hears at once."""

_FRAME_SECONDS = 0.01  # from one frame of AST's spectrogram to the next
_SPECIAL_TOKENS = 2  # AST's class and distillation tokens, which stand before the patches
_SECONDS, _MERT_SECONDS = 10.0, 5.0  # MERT learnt from 5 s
_LONGEST = 60.0  # attention grows with the square of a window's length
_SHORTEST = 1.0
_LEAST_SECONDS: dict[Kind, float] = {"ast": 0.1, "wave": 1.0, "clap": 0.0}  # a shorter wave gets silence after it
_UNUSED = ("masked_spec_embed",)  # weights that only training needs


@dataclass(frozen=True)
class Network:
    """A network that is used as it is.

    Attributes:
        name: its name on the hub, or that of its folder.
        model_type: its architecture, as its configuration calls it.
        kind: how it hears.
        rate: samples per second of what it hears.
        seconds: length of a window.
        layers: hidden layers, what goes into the first one included; 1 where only one output is used.
        width: numbers of a layer.
        identity: fingerprint of weights and input; equal for the same network, wherever it lies.
        revision: commit on the hub; empty for a folder.
        parameters: how many weights it has.
        model: the torch module, in evaluation mode.
        extractor: what makes its input of waves.
        device: where it is.
    """

    name: str
    model_type: str
    kind: Kind
    rate: int
    seconds: float
    layers: int
    width: int
    identity: str
    revision: str
    parameters: int
    model: Any
    extractor: Any
    device: str

    @property
    def window(self) -> int:
        """Samples in a window."""
        return round(self.seconds * self.rate)

    def check_layer(self, layer: int | None) -> str:
        """Return the layer's name, `mean` for None.

        Raises:
            DataError: the network has no such layer.
        """
        if layer is None:
            return MEAN
        if not 0 <= layer < self.layers:
            accepted = f"0 (what goes into the first) to {self.layers - 1}" if self.layers > 1 else "0, its only output"
            raise DataError(f"{self.name} has no layer {layer}; accepted are {accepted}; without --layer the mean")
        return str(layer)

    @torch.inference_mode()
    def hear(self, wave: Wave) -> Features:
        """Return the features of a wave's windows, float32 of shape (windows, layers, width).

        Args:
            wave: float32 of shape (samples,) at the network's rate.
        """
        parts = [self._layers(batch) for batch in _batches(windows_of(wave, self.window))]
        return np.concatenate(parts)

    def milliseconds(self) -> float:
        """Time the network on 30 s of noise on one core, as `compute` times our own."""
        from genrescope.evaluation import compute

        here = replace(self, model=self.model.cpu(), device="cpu")
        wave = np.random.default_rng(0).normal(0, 0.1, compute.SECONDS * self.rate).astype(np.float32)

        def once() -> float:
            begun = time.process_time()
            here.hear(wave)
            return 1000 * (time.process_time() - begun)

        try:
            return round(compute.timed(once, repeats=1), 1)
        finally:
            self.model.to(self.device)

    def _layers(self, waves: list[Wave]) -> Features:
        least = round(_LEAST_SECONDS[self.kind] * self.rate)
        waves = [np.pad(wave, (0, max(0, least - len(wave)))) for wave in waves]
        inputs = self.extractor(waves, sampling_rate=self.rate, return_tensors="pt").to(self.device)
        if "is_longer" in inputs:  # no window is, but the extractor of a fused CLAP calls one so, drawn at random
            inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
        out = self.model(**inputs, output_hidden_states=True)
        if self.kind == "clap":
            stacked = out.pooler_output[:, None]
        else:
            first = _SPECIAL_TOKENS if self.kind == "ast" else 0
            stacked = torch.stack([layer[:, first:].mean(dim=1) for layer in out.hidden_states], dim=1)
        found: Features = stacked.float().cpu().numpy()
        return found


def windows_of(wave: Wave, length: int) -> list[Wave]:
    """Cut a wave into windows: as many as fit best, evenly from its beginning to its end.

    So 30 s give three windows of 10.24 s, the neighbours sharing 0.36 s. A wave that is shorter is a window as it is.

    Example:
        >>> [len(window) for window in windows_of(np.zeros(30, np.float32), 10)]
        [10, 10, 10]
        >>> [len(window) for window in windows_of(np.zeros(7, np.float32), 10)]
        [7]
    """
    count = max(1, round(len(wave) / length))
    starts = np.linspace(0, max(0, len(wave) - length), count).round().astype(int)
    return [wave[start : start + length] for start in starts]


def load(name: str, *, device: str = "cpu", seconds: float | None = None, trust_remote_code: bool = False) -> Network:
    """Load a network by its name on the hub or from a folder.

    Args:
        name: a folder with `config.json`, `preprocessor_config.json` and weights, or a name such as
            `MIT/ast-finetuned-audioset-10-10-0.4593`.
        device: where it is to be.
        seconds: length of a window; None takes the network's own.
        trust_remote_code: run Python code that comes with the network.

    Raises:
        TrainingError: transformers is not installed.
        ModelFileError: there is no such network, it is of another architecture, is incomplete, or brings code.
        DataError: the window is out of range.
    """
    transformers = _import()
    if _is_path(name) and not Path(name).is_dir():
        raise ModelFileError(f"{name}: no such folder; --network takes a folder or a name on huggingface.co")
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelFileError(f"{name} is no folder of a network: it has no config.json")
    config = _wrapped(name, transformers.PretrainedConfig.get_config_dict, name)[0]
    model_type = str(config.get("model_type", "none"))
    _refuse_strange(name, config, model_type, trusted=trust_remote_code)
    extractor = _wrapped(name, transformers.AutoFeatureExtractor.from_pretrained, name, trust_remote_code=False)
    loader = transformers.ClapAudioModel if model_type == "clap_audio_model" else transformers.AutoModel
    # Code is run where there is no other way, not wherever a network brings some.
    options = {"trust_remote_code": model_type == "mert_model"} if loader is transformers.AutoModel else {}
    model, info = _wrapped(name, loader.from_pretrained, name, output_loading_info=True, dtype=torch.float32, **options)
    if model_type == "clap":
        model = model.audio_model
    _refuse_incomplete(name, info, only="audio_model." if model_type == "clap" else "")
    own = _own_seconds(extractor, KINDS[model_type], model_type)
    most = own if KINDS[model_type] != "wave" else _LONGEST
    if seconds is not None and not _SHORTEST <= seconds <= most:
        raise DataError(f"a window of {seconds:g} s; {name} hears from {_SHORTEST:g} to {most:g} s at once")
    kept = model.config
    return Network(
        name=Path(name).resolve().name if Path(name).is_dir() else name,
        model_type=model_type,
        kind=KINDS[model_type],
        rate=int(extractor.sampling_rate),
        seconds=float(seconds or own),
        layers=1 if KINDS[model_type] == "clap" else int(kept.num_hidden_layers) + 1,
        width=int(kept.hidden_size),
        identity=_identity(model, extractor, model_type),
        revision=str(getattr(kept, "_commit_hash", None) or ""),
        parameters=sum(weight.numel() for weight in model.parameters()),
        model=model.to(device).eval(),
        extractor=extractor,
        device=device,
    )


def _import() -> Any:
    """Load transformers, which is an extra, and keep it from printing."""
    try:
        import transformers
    except ImportError as error:
        raise TrainingError("transfer needs transformers, an extra: pip install 'genrescope[transfer]'") from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return transformers


def _is_path(name: str) -> bool:
    """Whether a name can only be a folder: the hub's are `name` or `owner/name`."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or Path(name).exists()


def _wrapped(name: str, call: Any, *arguments: Any, **options: Any) -> Any:
    """Call transformers; say in one line what it could not do, whatever it raises."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        where = "the folder must hold config.json, preprocessor_config.json and weights"
        if not Path(name).is_dir():
            where = (
                "--network takes a folder, or a name on huggingface.co; without a connection only what was downloaded "
                "before can be used"
            )
        raise ModelFileError(f"{name} cannot be loaded: {where} ({told[:300]})") from error


def _refuse_strange(name: str, config: dict[str, Any], model_type: str, *, trusted: bool) -> None:
    known = ", ".join(KINDS)
    if model_type not in KINDS:
        raise ModelFileError(f'{name} is of the architecture "{model_type}"; accepted are {known}')
    if model_type == "mert_model" and not trusted:
        raise ModelFileError(
            f"{name} brings its architecture as Python code, which would run with all your rights. Read it, and if you "
            "trust it, give --trust-remote-code"
        )
    if model_type == "mert_model" and "auto_map" not in config:
        raise ModelFileError(f"{name} is a mert_model without its code: its config.json names none in auto_map")


def _refuse_incomplete(name: str, info: dict[str, Any], *, only: str) -> None:
    """Weights that a file lacks are drawn at random, and features of such a network mean nothing."""
    lacking = [*info["missing_keys"], *(str(key[0]) for key in info["mismatched_keys"])]
    lacking = sorted(key for key in lacking if key.startswith(only) and not key.endswith(_UNUSED))
    if lacking:
        raise ModelFileError(
            f"{name} lacks weights of its own architecture, or has them in other shapes: {lacking[0]} and "
            f"{len(lacking) - 1} more; its features would be random. Download it again"
        )


def _own_seconds(extractor: Any, kind: Kind, model_type: str) -> float:
    if kind == "ast":
        return float(extractor.max_length * _FRAME_SECONDS)
    if kind == "clap":
        return float(extractor.max_length_s)
    return _MERT_SECONDS if model_type == "mert_model" else _SECONDS


def _identity(model: Any, extractor: Any, model_type: str) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    settings = {key: value for key, value in extractor.to_dict().items() if not isinstance(value, np.ndarray)}
    config = {key: value for key, value in model.config.to_dict().items() if not key.startswith(("_", "transformers"))}
    return fingerprint([model_type, repr(sorted(settings.items())), repr(sorted(config.items())), digest.hexdigest()])


def _batches(windows: list[Wave]) -> Iterator[list[Wave]]:
    for number in range(math.ceil(len(windows) / BATCH)):
        yield windows[BATCH * number : BATCH * (number + 1)]
