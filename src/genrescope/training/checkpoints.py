"""All that the next epoch depends on: weights, the optimizer's memory, averaged weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genrescope.training.recipe import Recipe
    from genrescope.training.recipe_transfer import TuningRecipe


class TrainingState:
    """A network on its way."""

    def __init__(self, model: nn.Module, recipe: Recipe | TuningRecipe, device: str) -> None:
        self.model = model
        self.optimizer = make_optimizer(model, recipe, device)
        self._decay = recipe.training.weight_average
        self._average = copy.deepcopy(model).requires_grad_(False) if self._decay else None
        self._updates = 0

    @property
    def judged(self) -> nn.Module:
        """The network that is scored and kept: the averaged one where weights are averaged."""
        return self.model if self._average is None else self._average

    @torch.no_grad()
    def after_step(self) -> None:
        """Let the average follow the weights; in the beginning faster."""
        if self._average is None:
            return
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        mine = self._average.state_dict()
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                mine[name].lerp_(tensor, 1 - decay)
            else:
                mine[name].copy_(tensor)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything as tensors by name, for a checkpoint."""
        found = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for number, memory in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in memory.items() if torch.is_tensor(value)}
        if self._average is not None:
            found |= {f"average.{name}": tensor for name, tensor in self._average.state_dict().items()}
        found["updates"] = torch.tensor(self._updates)
        return {name: tensor.detach().cpu().contiguous() for name, tensor in found.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` returned."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.model.load_state_dict(under("model."))
        groups = self.optimizer.param_groups
        parameters = [(each, group["fused"]) for group in groups for each in group["params"]]
        for name, tensor in under("optimizer.").items():
            number, _, key = name.partition(".")
            parameter, fused = parameters[int(number)]
            if key == "step":  # fused steps count where the weights are, others on the CPU
                like = torch.empty_like(tensor, device=parameter.device if fused else None)
            else:  # laid out as its parameter is: arithmetic in another order would end in other last digits
                like = torch.empty_like(parameter)
            self.optimizer.state[parameter][key] = like.copy_(tensor)
        if self._average is not None:
            self._average.load_state_dict(under("average."))
        self._updates = int(tensors["updates"])


def make_optimizer(model: nn.Module, recipe: Recipe | TuningRecipe, device: str) -> torch.optim.Optimizer:
    """Return the recipe's optimizer, ready for the first step.

    `sgd` is CNTK's: with unit gain the gradient enters the velocity with weight 1 - momentum, and the velocity begins
    at zero, where PyTorch's own would begin with the first gradient, undamped. `adamw` lets biases and the weights of
    norms be: source, I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019.
    """
    its, fused = recipe.optimizer, device in ("cpu", "cuda")
    if its.name == "adamw":
        shrunk = [each for each in model.parameters() if each.ndim > 1]
        kept = [each for each in model.parameters() if each.ndim <= 1]
        groups = [{"params": shrunk, "weight_decay": its.weight_decay}, {"params": kept, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=recipe.schedule.base_rate, betas=(its.momentum, 0.999), fused=fused)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.schedule.base_rate,
        momentum=its.momentum,
        dampening=its.momentum if its.unit_gain else 0.0,
        weight_decay=its.weight_decay,
        fused=fused,
    )
    for parameter in model.parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
