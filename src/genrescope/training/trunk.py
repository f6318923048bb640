"""The file of a trunk: a network that has learnt to hear, without its head, for others to begin from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope import bundle
from genrescope.errors import DataError, ModelFileError, RecipeError
from genrescope.features.spec import Spec, from_dict, to_dict
from genrescope.models.trunk import trunk_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genrescope.training.recipe import Recipe

FORMAT = 1
_KEY = "genrescope_trunk"


@dataclass(frozen=True)
class Trunk:
    """A trunk in memory.

    Attributes:
        path: its run folder.
        tensors: the weights by name.
        facts: what a run that begins from it notes: run, digest of the weights, model, task, recipe.
    """

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """Fingerprint of the weights."""
        return str(self.facts["digest"])

    def begin(self, model: nn.Module) -> None:
        """Give a network these weights; its head, and what is normal to it, stay its own.

        Raises:
            RecipeError: the network is made of other tensors.
        """
        own = trunk_tensors(model)
        shapes, wanted = ({name: tuple(t.shape) for name, t in its.items()} for its in (self.tensors, own))
        if shapes != wanted:
            odd = sorted(dict(shapes.items() ^ wanted.items()))
            raise RecipeError(
                f'the trunk in {self.path} has other tensors than model "{self.facts["model"]}" of this genrescope: '
                f"{odd[0]} is {shapes.get(odd[0], 'missing')} there and {wanted.get(odd[0], 'missing')} here"
            )
        model.load_state_dict(self.tensors, strict=False)


def write(folder: Path, model: nn.Module, recipe: Recipe, spec: Spec) -> str:
    """Write a network's trunk into a run folder; return the digest of its weights."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trunk_tensors(model).items()}
    facts = {
        "format": FORMAT, "model": recipe.model.name, "front_end": to_dict(spec),
        "recipe": recipe.model_dump(), "made_with": genrescope.__version__,
    }  # fmt: skip
    bundle.save_tensors(folder / bundle.TRUNK_NAME, tensors, {_KEY: json.dumps(facts, ensure_ascii=False)})
    return _digest(tensors)


def read(run: str | Path, recipe: Recipe, spec: Spec) -> Trunk:
    """Read the trunk that a recipe's network is to begin from.

    Args:
        run: folder of a finished run of `pretrain`.
        recipe: what will be trained.
        spec: the front end of what it will learn.

    Raises:
        ModelFileError: the folder holds no trunk, or the file is damaged.
        RecipeError: it is the trunk of another network.
        DataError: it has heard through another front end.
    """
    path = Path(run) / bundle.TRUNK_NAME
    if not path.is_file():
        raise ModelFileError(
            f"{run} holds no {bundle.TRUNK_NAME}; --init-from takes the folder of a finished run of genrescope pretrain"
        )
    tensors, metadata = bundle.load_tensors(path)
    try:
        facts = json.loads(metadata[_KEY])
        if facts["format"] != FORMAT:
            raise ModelFileError(f"{path}: the format is not {FORMAT}; use a newer genrescope")
        heard = from_dict(facts["front_end"])
        told = {name: facts["recipe"][name] for name in ("name", "pretrain")}
        model = str(facts["model"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is damaged, or no trunk of genrescope: {error}") from error
    if model != recipe.model.name:
        raise RecipeError(
            f'{run} holds the trunk of "{model}", but recipe {recipe.name} trains "{recipe.model.name}"; choose '
            f"--set model.name={model}, or pre-train with --set model.name={recipe.model.name}"
        )
    if heard != spec:
        raise DataError(f"the trunk in {run} heard through {heard}, but the store has {spec}; prepare the store anew")
    told = {"run": str(run), "digest": _digest(tensors), "model": model, "recipe": told["name"], **told["pretrain"]}
    return Trunk(Path(run), tensors, told)


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return a fingerprint of names, shapes and values."""
    made = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        made.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        made.update(tensor.contiguous().numpy().tobytes())
    return made.hexdigest()
