"""TFC networks of four widths: cycles at equal LUTs of the array against plain 8-bit multiply-accumulate elements."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
from accelerator import design, identity

from bitwright.simulation import simulate

BOUNDS = dict(zip(networks.TFC_WIDTHS, (1.6, 1.6, 6.0, 40.0), strict=True))
PAIRS = {"container": "fixed", "planes": "fixed_small"}  # unit and the plain array that it is compared with
BATCH, FRAMES, SEED = 16, 64, 5
FIXED = (8, 8, 8, 8)  # widths are nothing to the plain array: its network has 8 bits throughout


def measure(known: dict, lut: dict) -> dict:
    """Simulations of every configuration (taken from `known` where nothing changed), and the speed-ups.

    cycles_frame: layers alone. cycles_frame_with_streams: from reset to the last result of 64 frames, all streams
    included. speed-up = cycles x LUT of the plain array / cycles x LUT of the unit's array.
    """
    runs = dict(known.get("runs", {}))
    for widths in networks.TFC_WIDTHS:
        for unit in PAIRS:
            _run(runs, widths, unit)
    for unit in PAIRS.values():
        _run(runs, FIXED, unit)
    return {"runs": runs, "speedups": {_name(w): _row(runs, lut, w) for w in networks.TFC_WIDTHS}}


def _name(widths) -> str:
    return "-".join(map(str, widths))


def _run(runs: dict, widths, unit: str) -> None:
    """Simulate one network on one configuration, all frames compared."""
    rng, net = np.random.default_rng(SEED), networks.tfc(widths)
    x = rng.choice(net.input.type.dtype.values(), (FRAMES, *net.input.type.shape))
    path = Path(__file__).parent / "hardware" / f"{unit}.toml"
    _, made = design(net, str(path), BATCH)
    key, run = f"{_name(widths)} {unit}", identity(made) | {"frames": FRAMES}
    if runs.get(key, {}).get("run") == run:
        return
    result = simulate(made, x, jobs=1)
    if not result.bit_exact:
        raise SystemExit(f"{net.name} on {unit}: {result.first_mismatch()}")
    runs[key] = {
        "run": run,
        "simulator": result.tool,
        "cycles_frame": result.counters["cycles_busy"] / FRAMES,
        "cycles_frame_with_streams": result.cycles / FRAMES,
    }


def _row(runs: dict, lut: dict, widths) -> dict:
    """Speed-ups of both units for one network."""
    found: dict = {"bound": BOUNDS[widths]}
    for unit, plain in PAIRS.items():
        own, base = runs[f"{_name(widths)} {unit}"], runs[f"{_name(FIXED)} {plain}"]
        found[unit] = {
            name: base[cycles] * lut[plain] / (own[cycles] * lut[unit])
            for name, cycles in (("layers", "cycles_frame"), ("with_streams", "cycles_frame_with_streams"))
        }
    found["best_with_streams"] = max(found[unit]["with_streams"] for unit in PAIRS)
    print(_name(widths), {k: found[k] for k in ("bound", *PAIRS)}, flush=True)
    return found
