"""The integer network: types, operations, graph, evaluators, passes and storage."""

from bitwright.network.graph import INPUT, InputSpec, Network, Node, OutputSpec, evaluate
from bitwright.network.types import BIPOLAR, IntType, TensorType

__all__ = [
    "BIPOLAR",
    "INPUT",
    "InputSpec",
    "IntType",
    "Network",
    "Node",
    "OutputSpec",
    "TensorType",
    "evaluate",
]
