"""What belongs together because a chain of links lies between."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Node = tuple[str, str]
"""A kind of thing, as `track`, and its name."""


def linked(links: Iterable[tuple[Node, Node]]) -> dict[Node, Node]:
    """Return for each node the one that stands for all that it is linked with, by union-find.

    Example:
        >>> found = linked([(("track", "a"), ("name", "Ann")), (("track", "b"), ("name", "Ann"))])
        >>> found["track", "a"] == found["track", "b"]
        True
    """
    above: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while (parent := above.setdefault(node, node)) != node:
            above[node] = node = above[parent]
        return node

    for one, other in links:
        above[root(one)] = root(other)
    return {node: root(node) for node in list(above)}
