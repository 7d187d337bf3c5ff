"""Fixtures for the tests of the RTL library."""

import pytest
import rtl_bank


@pytest.fixture(scope="session")
def rtl_cache(tmp_path_factory):
    """One cache folder for all models of the session."""
    return tmp_path_factory.mktemp("rtl-models")


@pytest.fixture(scope="session")
def build_bank(rtl_cache):
    """`build_bank(cases)`: one simulation model with an instance of every case."""
    return lambda cases, sources=None: rtl_bank.build(cases, rtl_cache, sources)
