"""Networks of a few thousand random weights, saved as published ones are, and music that they can tell apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli_support import Done, assert_refused
from conftest import noise, tone, write

from genrescope.splits import Split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from genrescope.models.published import Body
    from genrescope.results import Evaluation
    from genrescope.store.store import Store
    from genrescope.training.recipe_transfer import ProbeRecipe, TuningRecipe

GENRES = ("drone", "hiss")
ARTISTS, TRACKS = 4, 2
SECONDS = 3

SMALL: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
}  # fmt: skip
WAVE: dict[str, Any] = SMALL | {
    "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
TOWER: dict[str, Any] = {
    "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 16,
    "num_hidden_layers": 2, "window_size": 4, "spec_size": 64, "num_mel_bins": 16, "patch_size": 4,
    "patch_stride": [4, 4], "projection_dim": 8,
}  # fmt: skip
TEXT: dict[str, Any] = SMALL | {"vocab_size": 20, "max_position_embeddings": 12}

MERT_CONFIG = """
from transformers import HubertConfig
class MERTConfig(HubertConfig):
    model_type = "mert_model"
"""
MERT_MODEL = """
from transformers import HubertModel
from .configuration_MERT import MERTConfig
class MERTModel(HubertModel):
    config_class = MERTConfig
"""


def music(root: Path) -> Path:
    """Write songs of two genres by several artists, and the list of them."""
    lines = ["path,genre,group"]
    for genre in GENRES:
        for number in range(ARTISTS * TRACKS):
            artist = f"{genre}-{number // TRACKS}"
            sound = noise(SECONDS, level=0.2, seed=number)
            if genre == "drone":
                sound = tone(150 + 20 * number, seconds=SECONDS)
            write(root / artist / f"{number}.wav", sound + noise(SECONDS, level=0.01, seed=50 + number))
            lines.append(f"{artist}/{number}.wav,{genre},{artist}")
    (root / "songs.csv").write_text("\n".join(lines) + "\n")
    return root / "songs.csv"


def assert_refused_last(done: Done, *words: str) -> None:
    """As `assert_refused`; what was computed before may have been told of."""
    kept = [line for line in done.messages if not line.startswith("tiny-ast: ")]
    assert_refused(Done(done.code, done.out, "\n".join(kept)), *words)


def ast(folder: Path, *, seed: int = 0) -> Path:
    """Write an AST that was fine-tuned, with a head that is not used; its window is 1.28 s."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(seed)
    config = ASTConfig(**SMALL, max_length=128, num_mel_bins=32, num_labels=3)
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(max_length=128, num_mel_bins=32).save_pretrained(folder)
    return folder


def hubert(folder: Path, *, seed: int = 0, rate: int = 16_000) -> Path:
    """Write a HuBERT."""
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(seed)
    HubertModel(HubertConfig(**WAVE)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    """Write a wav2vec 2.0."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    Wav2Vec2Model(Wav2Vec2Config(**WAVE)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def wavlm(folder: Path) -> Path:
    """Write a WavLM."""
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    WavLMModel(WavLMConfig(**WAVE)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def clap(folder: Path) -> Path:
    """Write a CLAP with its text tower; its window is 2 s."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    ClapModel(ClapConfig(text_config=TEXT, audio_config=TOWER, projection_dim=8)).save_pretrained(folder)
    ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation="rand_trunc").save_pretrained(folder)
    return folder


def clap_audio(folder: Path, *, fused: bool = False) -> Path:
    """Write the audio tower of a CLAP alone."""
    from transformers import ClapAudioConfig, ClapAudioModel, ClapFeatureExtractor

    ClapAudioModel(ClapAudioConfig(**TOWER, enable_fusion=fused)).save_pretrained(folder)
    truncation = "fusion" if fused else "rand_trunc"
    ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation=truncation).save_pretrained(folder)
    return folder


def mert(folder: Path, *, deepnorm: bool) -> Path:
    """Write a network that brings its own code, which is needed if it is more than a HuBERT."""
    hubert(folder, rate=24_000)
    (folder / "configuration_MERT.py").write_text(MERT_CONFIG)
    (folder / "modeling_MERT.py").write_text(MERT_MODEL)
    code = {"AutoConfig": "configuration_MERT.MERTConfig", "AutoModel": "modeling_MERT.MERTModel"}
    change(folder, model_type="mert_model", auto_map=code, deepnorm=deepnorm, feature_extractor_cqt=False)
    return folder


def change(folder: Path, **values: Any) -> None:
    """Change a network's configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


KINDS: dict[str, Callable[[Path], Path]] = {
    "ast": ast,
    "hubert": hubert,
    "wav2vec2": wav2vec2,
    "wavlm": wavlm,
    "clap": clap,
    "clap_audio": clap_audio,
}


def write_all(root: Path) -> Path:
    """Write a network of each kind."""
    import torch

    for name, write_network in KINDS.items():
        torch.manual_seed(0)
        write_network(root / name)
    return root


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def on_hub(monkeypatch: pytest.MonkeyPatch, cache: Path, name: str) -> Path:
    """Let a folder be the cache of the hub, without a connection; return where a network of that name lies in it."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    home = cache / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return home / "snapshots" / COMMIT


def opened(saved: Path, kind: str) -> Body:
    """Load one of them; those that take windows of any length get 1 s."""
    from genrescope.models.published_loading import load

    return load(str(saved / kind), seconds=1.0 if kind in ("hubert", "wav2vec2", "wavlm") else None)


def by_hand(store: Store) -> Split:
    """Give every artist's tracks one part: one artist of each genre to test, one to validation."""
    parts = {"0": "test", "1": "validation"}
    return Split({track.id: parts.get(track.group[-1], "train") for track in store.tracks}, "by hand")


def recipe_of(body: Body, way: str, *, layer: str = "mean") -> ProbeRecipe | TuningRecipe:
    """Return the recipe of a probe (`linear` or `rbf`), or of a short fine-tuning (`tuned`)."""
    from genrescope.training import fine_tuning, probe

    if way == "tuned":
        return fine_tuning.recipe_of(body, layer=layer, epochs=1, rate=3e-3, batch=4)
    return probe.recipe_of(body.spec, layer=layer, kernel=way)


def hold_out(store: Store, body: Body, way: str, out: Path, *, layer: str = "mean") -> Evaluation:
    """Learn from the training part and score the test part."""
    from genrescope.evaluation import transfer
    from genrescope.training.job import Job

    recipe = recipe_of(body, way, layer=layer)
    job = Job(store, recipe, by_hand(store), out, device="cpu", pairs=())
    return transfer.score(job, transfer.gather(store, body, recipe)).result
