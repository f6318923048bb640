"""Support vector machines (SVMs) with weights like any network's: arrays in a model file, run by torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OneVsRestSVM(nn.Module):
    """A one-versus-rest SVM for each genre; its decision on a point is the genre's logit.

    Args:
        vectors: support vectors; one for each genre with a linear kernel.
        kernel: `rbf`, `exp(-gamma |x - y|^2)`; or `linear`.

    Attributes:
        centre: (features,), mean of the training points.
        spread: (features,), their standard deviation.
        vectors: (vectors, features), standardised points; for a linear kernel the normals.
        weights: (genres, vectors), what each point says for a genre.
        bias: (genres,).
        gamma: ().
        sharpness: (), what decisions are multiplied by, so that their softmax is as sure as it is right.
    """

    def __init__(self, genres: int, *, features: int, vectors: int, kernel: str) -> None:
        super().__init__()
        if kernel not in ("rbf", "linear"):
            raise ValueError(f'kernel "{kernel}"; accepted are "rbf" and "linear"')
        self.kernel = kernel
        self.centre = nn.Parameter(torch.zeros(features))
        self.spread = nn.Parameter(torch.ones(features))
        self.vectors = nn.Parameter(torch.zeros(vectors, features))
        self.weights = nn.Parameter(torch.zeros(genres, vectors))
        self.bias = nn.Parameter(torch.zeros(genres))
        self.gamma = nn.Parameter(torch.ones(()))
        self.sharpness = nn.Parameter(torch.ones(()))

    def forward(self, points: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from points of shape (batch, features)."""
        points = (points - self.centre) / self.spread
        if self.kernel == "rbf":
            distances = torch.cdist(points, self.vectors, compute_mode="use_mm_for_euclid_dist")  # can be exported
            likeness = torch.exp(-self.gamma * distances.square())
        else:
            likeness = points @ self.vectors.T
        return (likeness @ self.weights.T + self.bias) * self.sharpness
