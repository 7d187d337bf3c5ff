"""Integer networks that grow node by node, each on the one before."""

from __future__ import annotations

from bitwright.network import Node, TensorType
from bitwright.network.ops import Op


class Grower:
    """The nodes so far, the types of all values, and the name of the last one."""

    def __init__(self, source: TensorType) -> None:
        self.source, self.tip = source, "input"
        self.types = {"input": source}
        self.nodes: list[Node] = []

    def put(self, name: str, op: Op, *more: str) -> None:
        """A node on the last one and on others."""
        inputs = (self.tip, *more)
        self.types[name] = op.infer(*(self.types[n] for n in inputs))
        self.nodes.append(Node(name, op, inputs))
        self.tip = name
