"""The locked dependencies fit pyproject.toml, and each has hashes."""

import re
import tomllib

import chain
from packaging.requirements import Requirement
from packaging.version import Version


def wanted():
    """Direct requirements of bitwright and its tests, but for PyTorch."""
    project = tomllib.loads((chain.ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *extras["test"], *extras["route"], *extras["gowin"]]
    found = [Requirement(text) for text in texts if not text.startswith(("bitwright[", "torch"))]
    return {re.sub(r"[-_.]+", "-", r.name).lower(): r.specifier for r in found}


def test_the_lock_fits_what_is_asked_for():
    locked = chain.packages(chain.LOCK)
    missing = {name: str(s) for name, s in wanted().items() if name not in locked}
    assert missing == {}, "make lock"
    assert {n: locked[n] for n, s in wanted().items() if Version(locked[n]) not in s} == {}, "make lock"


def test_each_package_has_hashes_and_no_place():
    text = chain.LOCK.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry.split(" ")[0])
    assert not re.search(r"https?:|file:|--index|--find|/tmp|torch==", text)


def test_what_is_wrong_is_told():
    assert chain.good({"equal": True})
    assert not chain.good({"equal": False})
    assert not chain.good({"faults": {"numpy": ["A-1"]}})
    assert not chain.good({"oldest": {"passed": False}})
