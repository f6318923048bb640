"""The model for the first minute: genres by the tags of published taggers, without any training.

A genre's logit is the mean logit of its tags less half their usual level. Frequent tags (rock) would otherwise stand
above rare ones on every song. Half is what served best of none, half and all (`benchmarks/zero_shot.py`). Moods, eras,
instruments and voices stand beside the genres, less their whole level: 0.5 is as much as usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import genrescope
from genrescope.features.placement import WindowSpec
from genrescope.modelfile.header import Header, Terms, TrainingData
from genrescope.models.listener import Listener
from genrescope.models.tag_genres import genres, kinds, shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genrescope.modelfile.file import Model

LEVEL_SHARE = 0.5
"""How much of a tag's usual level is taken away."""


def make(taggers: Mapping[str, Model]) -> tuple[Listener, Header]:
    """Return the network and the header of the model.

    Args:
        taggers: by their names on the shelf.
    """
    known, others = genres(), [label for labels in kinds().values() for label in labels]
    tags = [f"{name}:{label}" for name, model in taggers.items() for label in model.header.labels]
    network = Listener.of([model.network for model in taggers.values()], len(known), others=len(others))
    with torch.no_grad():
        network.head.prior.copy_(torch.from_numpy(shares([genre.tags for genre in known], tags)))
        network.head.bias.copy_(torch.tensor([-LEVEL_SHARE * genre.level for genre in known]))
        network.head.others.copy_(torch.from_numpy(shares([label.tags for label in others], tags)))
        network.head.other_level.copy_(torch.tensor([label.level for label in others]))
    first = next(iter(taggers.values())).header
    header = Header(
        model="listener",
        options={
            "taggers": {name: len(model.header.labels) for name, model in taggers.items()},
            "others": len(others),
        },
        labels=tuple(genre.name for genre in known),
        front_end=first.front_end,
        windows=WindowSpec(first.windows.frames, padding="repeat", pooling="logits"),
        exclusive=False,
        thresholds={genre.name: genre.threshold for genre in known if genre.threshold is not None},
        tags={kind: tuple(label.name for label in labels) for kind, labels in kinds().items()},
        weights=Terms(licence=first.weights.licence, citation=first.weights.citation),
        data=TrainingData(name="; ".join(model.header.data.name for model in taggers.values())),
        recipe={"name": "genres", "evaluation": {"verdict": "vote"}},
        made_with=genrescope.__version__,
    )
    return network, header
