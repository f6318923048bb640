"""Loading a published network: from a folder or by its name on the hub, whole, and without running code of others."""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genrescope.errors import DataError, ModelFileError, TrainingError
from genrescope.files import fingerprint
from genrescope.transfer.network import KINDS, Network

if TYPE_CHECKING:
    from genrescope.transfer.network import Kind

_FRAME_SECONDS = 0.01  # from one frame of AST's spectrogram to the next
_SECONDS, _MERT_SECONDS = 10.0, 5.0  # MERT learnt from 5 s
_LONGEST = 60.0  # attention grows with the square of a window's length
_SHORTEST = 1.0
_UNUSED = ("masked_spec_embed",)  # weights that only training needs


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
    loader, options = _loader(transformers, config, model_type)
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


def _loader(transformers: Any, config: dict[str, Any], model_type: str) -> tuple[Any, dict[str, Any]]:
    """Return the class that loads a network, and its options: code is run only where there is no other way."""
    if model_type == "clap_audio_model":
        return transformers.ClapAudioModel, {}
    if model_type == "mert_model" and _is_hubert(config):
        kept = {key: value for key, value in config.items() if key not in ("auto_map", "model_type", "architectures")}
        return transformers.HubertModel, {"config": transformers.HubertConfig(**kept)}
    return transformers.AutoModel, {"trust_remote_code": model_type == "mert_model"}


def _is_hubert(config: dict[str, Any]) -> bool:
    """Whether a MERT is a HuBERT: its own code differs from that in these two parts only, where they are used."""
    return config.get("feature_extractor_cqt") is False and config.get("deepnorm") is False


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
        with warnings.catch_warnings(action="ignore"):  # on AST's own mel filters, say, of which some are empty
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
    if model_type != "mert_model" or _is_hubert(config):
        return
    if not trusted:
        raise ModelFileError(
            f"{name} is more than a HuBERT and brings its architecture as Python code, which would run with all your "
            "rights. Read it, and if you trust it, give --trust-remote-code"
        )
    if "auto_map" not in config:
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
