"""Fixtures for all tests."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the reference networks and data; a visible skip where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the reference networks and data are not beside this checkout")
    return SHARED_DATA
