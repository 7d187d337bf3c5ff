"""Fixtures for all tests."""

from pathlib import Path

import pytest
from random_networks import random_network as make_random_network

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the reference networks and data; a visible skip where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the reference networks and data are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def random_network():
    """Factory of seeded random networks: `random_network(seed, **shape)`, see tests/support."""
    return make_random_network
