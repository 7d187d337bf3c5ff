"""A network on a weight memory that it does not fit: resnet8 with streamed weights, the stream fed and with pauses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networks
from accelerator import design, identity

from bitwright.simulation import simulate
from bitwright.tools.model import Stalls

NETWORK, FRAMES = "resnet8", 8
HARDWARE = Path(__file__).parent / "hardware" / "stream.toml"  # ultra96 with an eighth of its weight memory
STALLS = {"fed": None, "paused": Stalls(seed=1, input=0.3, output=0.3)}


def measure(data: Path, known: dict) -> Iterator[dict]:
    """Differences and cycles a batch, those of waiting for weights apart; after each of the two runs again."""
    net, x = networks.load(NETWORK, data)
    plan, made = design(net, str(HARDWARE))
    usage, layers = plan.program.usage, plan.estimate.layers
    run = identity(made) | {"frames": FRAMES}
    found = {
        "run": run,
        "network": NETWORK,
        "weight_lines": {"needed": usage.weight_lines, "on_chip": plan.hardware.weight_lines},
        "stream_words_batch": usage.stream_words,
        "layers": {"stages": len(plan.staged.stages), "descriptors": usage.layers},
        "model_cycles_batch": sum(layer.details["cycles_batch"] for layer in layers),
    }
    for name, stalls in STALLS.items():
        if known.get("run") == run and name in known:
            found[name] = known[name]
            continue
        result = simulate(made, x[:FRAMES], stalls=stalls, jobs=1)
        counters = result.counters
        found[name] = {
            "simulator": result.tool,
            "differences": result.mismatches,
            "cycles_batch": counters["cycles_busy"] / counters["batches"],
            "waiting_for_weights": counters["cycles_weights"] / counters["batches"],
        }
        print(name, found[name], flush=True)
        yield found
    yield found
