"""Loading a published network: from a folder or by its name on the hub, whole, and without running code of others."""

from __future__ import annotations

import functools
import hashlib
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from genrescope.errors import DataError, ModelFileError
from genrescope.extras import require
from genrescope.features.spec import to_dict
from genrescope.files import fingerprint
from genrescope.models.published import KINDS, Body, Published, PublishedSpec, front_end_of
from genrescope.models.registry import register
from genrescope.models.svm import OneVsRestSVM

if TYPE_CHECKING:
    from genrescope.models.published import Kind

_FRAME_SECONDS = 0.01  # from one frame of AST's spectrogram to the next
_SECONDS, _MERT_SECONDS = 10.0, 5.0  # MERT was trained on 5 s
_MOST_LAYERS = 256
_LONGEST = 60.0  # attention grows with the square of a window's length
_SHORTEST = 1.0
_FAMILIES = {
    "audio-spectrogram-transformer": "AST", "hubert": "Hubert", "mert_model": "Hubert", "wav2vec2": "Wav2Vec2",
    "wavlm": "WavLM", "clap": "ClapAudio", "clap_audio_model": "ClapAudio",
}  # what the classes of transformers begin with  # fmt: skip
_UNUSED = ("masked_spec_embed",)  # weights that only training needs


def load(name: str, *, revision: str | None = None, seconds: float | None = None) -> Body:
    """Load a network by its name on the hub or from a folder; it is in evaluation mode, on the CPU.

    Args:
        name: a folder with `config.json`, `preprocessor_config.json` and weights, or a name such as
            `MIT/ast-finetuned-audioset-10-10-0.4593`.
        revision: a commit on the hub; None takes the newest.
        seconds: length of a window; None takes the network's own.

    Raises:
        MissingPackageError: transformers is not installed.
        ModelFileError: there is no such network, it is of another architecture, is incomplete, or brings code.
        DataError: the window is out of range.
    """
    transformers = _import()
    if _is_path(name) and not Path(name).is_dir():
        raise ModelFileError(f"{name}: no such folder; --network takes a folder or a name on huggingface.co")
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelFileError(f"{name} is no folder of a network: it has no config.json")
    commit = _commit_of(transformers, name, revision)
    at = {"revision": commit} if commit else {}
    config = _wrapped(name, transformers.PretrainedConfig.get_config_dict, name, **at)[0]
    model_type = str(config.get("model_type", "none"))
    _refuse_strange(name, config, model_type)
    extractor = _wrapped(name, transformers.AutoFeatureExtractor.from_pretrained, name, trust_remote_code=False, **at)
    loader, options = _loader(transformers, config, model_type)
    options |= {"output_loading_info": True, "dtype": torch.float32} | at
    network, info = _wrapped(name, loader.from_pretrained, name, **options)
    if model_type == "clap":
        network = network.audio_model
    _refuse_incomplete(name, info, only="audio_model." if model_type == "clap" else "")
    spec = _spec_of(name, network, extractor, commit=commit, model_type=model_type, seconds=seconds)
    return Body(spec, network.eval())


def rebuild(spec: PublishedSpec) -> Body:
    """Build a network anew by its configuration; its weights are random until a model file's take their place.

    Raises:
        MissingPackageError: transformers is not installed.
        ValueError: the configuration is not that of a network that is known.
    """
    transformers = _import()
    if spec.model_type not in KINDS:
        raise ValueError(f'the architecture "{spec.model_type}"; accepted are {", ".join(KINDS)}')
    for key, value in spec.config.items():  # each is a loop in the making of the network
        if "layers" in key and isinstance(value, int) and value > _MOST_LAYERS:
            raise ValueError(f"{key} {value}; accepted are {_MOST_LAYERS} at most")
    family = _FAMILIES[spec.model_type]
    configuration, kind = getattr(transformers, f"{family}Config"), getattr(transformers, f"{family}Model")
    with warnings.catch_warnings(action="ignore"):
        return Body(spec, kind(configuration(**_plain(spec.config))).eval())


@functools.lru_cache(maxsize=2)
def _from_hub(name: str, revision: str) -> Body:
    return load(name, revision=revision or None)


def load_same(spec: PublishedSpec) -> Body:
    """Load the network that a model file names; models of one network share it in memory.

    Raises:
        ModelFileError: it cannot be had, or is no longer the same.
    """
    body = _from_hub(spec.name, spec.revision)
    if body.spec.identity != spec.identity:
        raise ModelFileError(
            f"{spec.name} has other weights or another input than the network that the model was trained on"
        )
    return Body(spec, body.network)


@register
def published(
    genres: int,
    *,
    network: dict[str, Any],
    layer: str,
    head: str,
    copied: bool,
    vectors: int = 1,
    kernel: str = "linear",
) -> Published:
    """A published network under a head.

    Args:
        network: a `PublishedSpec` as plain values.
        head: `linear` or `svm`.
        copied: whether the file has the network's weights; else they come from the hub.
    """
    spec = PublishedSpec(**network)
    if head not in ("linear", "svm"):
        raise ValueError(f'head "{head}"; accepted are linear and svm')
    top: nn.Module = nn.Linear(spec.width, genres)
    if head == "svm":
        top = OneVsRestSVM(genres, features=spec.width, vectors=vectors, kernel=kernel)
    with torch.device("cpu"):  # a network of transformers keeps buffers that no file holds
        body = rebuild(spec) if copied else load_same(spec)
    return Published(body, top, layer=layer)


def _commit_of(transformers: Any, name: str, revision: str | None) -> str:
    """Return the commit that a network of the hub has now; empty for a folder."""
    if Path(name).is_dir():
        return ""
    hub = transformers.utils.hub
    file = _wrapped(name, hub.cached_file, name, "config.json", revision=revision)
    return str(hub.extract_commit_hash(file, None) or "")


def _spec_of(
    name: str, network: Any, extractor: Any, *, commit: str, model_type: str, seconds: float | None
) -> PublishedSpec:
    """Describe a network."""
    kind, settings = KINDS[model_type], _settings(extractor)
    own = _own_seconds(extractor, kind, model_type)
    most = own if kind != "wave" else _LONGEST
    if seconds is not None and not _SHORTEST <= seconds <= most + 1e-6:
        raise DataError(f"a window of {seconds:g} s; {name} takes from {_SHORTEST:g} to {most:g} s at once")
    front_end, kept = front_end_of(kind, settings), network.config
    return PublishedSpec(
        name=Path(name).resolve().name if Path(name).is_dir() else name,
        revision=commit,
        model_type=model_type,
        identity=_identity(network, settings, model_type),
        front_end=to_dict(front_end),
        frames=front_end.frames(round((seconds or own) * front_end.sample_rate)),
        layers=1 if kind == "clap" else int(kept.num_hidden_layers) + 1,
        width=int(kept.hidden_size),
        parameters=sum(weight.numel() for weight in network.parameters()),
        config=_plain(kept.to_dict()),
        extractor=settings,
    )


def _settings(extractor: Any) -> dict[str, Any]:
    """Return the settings of a feature extractor that its constructor takes; tables of filters it makes by itself."""
    found = {key: value for key, value in extractor.to_dict().items() if not isinstance(value, np.ndarray)}
    return _plain(
        {key: value for key, value in found.items() if not key.endswith("_type") and key != "processor_class"}
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is private, of one version, no plain value, or the name of attention's code."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if not key.startswith(("_", "transformers", "attn_implementation"))
        and (value is None or isinstance(value, str | int | float | bool | list | tuple | dict))
    }


def _loader(transformers: Any, config: dict[str, Any], model_type: str) -> tuple[Any, dict[str, Any]]:
    """Return the class that loads a network, and its options."""
    if model_type == "clap_audio_model":
        return transformers.ClapAudioModel, {}
    if model_type == "mert_model":
        kept = {key: value for key, value in config.items() if key not in ("auto_map", "model_type", "architectures")}
        return transformers.HubertModel, {"config": transformers.HubertConfig(**kept)}
    return transformers.AutoModel, {"trust_remote_code": False}


def _is_hubert(config: dict[str, Any]) -> bool:
    """Whether a MERT is a HuBERT: its own code differs from that in these two parts only, where they are used."""
    return config.get("feature_extractor_cqt") is False and config.get("deepnorm") is False


def _import() -> Any:
    """Load transformers, which is an extra, and keep it from printing."""
    require("transfer", "a published network")
    import transformers

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
        with warnings.catch_warnings(action="ignore"):  # on AST's own mel filters, say, of which some are empty
            return call(*arguments, **options)
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        where = "the folder must hold config.json, preprocessor_config.json and weights"
        if not Path(name).is_dir():
            where = (
                "--network takes a folder, or a name on huggingface.co; without a connection only what was downloaded "
                "before can be used"
            )
        raise ModelFileError(f"{name} cannot be loaded: {where} ({words[:300]})") from error


def _refuse_strange(name: str, config: dict[str, Any], model_type: str) -> None:
    if model_type not in KINDS:
        raise ModelFileError(f'{name} is of the architecture "{model_type}"; accepted are {", ".join(KINDS)}')
    if model_type == "mert_model" and not _is_hubert(config):
        raise ModelFileError(
            f"{name} is more than a HuBERT and brings its architecture as Python code, which genrescope never runs. "
            "Take a MERT whose config.json has feature_extractor_cqt and deepnorm false, such as m-a-p/MERT-v1-95M"
        )


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


def _identity(network: Any, settings: dict[str, Any], model_type: str) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    config = _plain(network.config.to_dict())
    return fingerprint([model_type, repr(sorted(settings.items())), repr(sorted(config.items())), digest.hexdigest()])
