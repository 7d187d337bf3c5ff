"""Fixtures for the tests of target bitsys."""

from pathlib import Path

import pytest

import bitwright.targets.bitsys
from bitwright import rtl

ROOT = Path(bitwright.targets.bitsys.__file__).parent / "rtl"


@pytest.fixture(scope="session")
def bitsys_cache(tmp_path_factory):
    """One cache folder for all models of the session."""
    return tmp_path_factory.mktemp("bitsys-models")


@pytest.fixture(scope="session")
def unit_sources():
    """`unit_sources(vendor)`: the units; the Xilinx version on behavioural models of LUTs and carries."""

    def sources(vendor: str) -> dict[str, str]:
        files = {f.name: f.read_text() for pattern in ("*.sv", "*.svh") for f in ROOT.glob(pattern)}
        files |= {f.name: f.read_text() for f in (ROOT / "prim" / "generic").glob("*.sv")}
        if vendor == "xilinx":
            own = {f.name: f.read_text() for f in (ROOT / "prim" / "xilinx").glob("*_pe.sv")}
            files |= own
        return files | {Path(name).name: text for name, text in rtl.sources(["lut6_2"]).items()}

    return sources
