"""The folder cache: complete or absent, whatever happens."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bitwright.explore.cache import ResultCache
from bitwright.tools import cache


def maker(text, calls=None):
    def make(folder):
        if calls is not None:
            calls.append(folder)
        (folder / "result").write_text(text)
        (folder / "scratch").write_text("not kept")
        return [folder / "result"]

    return make


def test_an_entry_is_made_once(tmp_path):
    calls = []
    first, hit = cache.entry(tmp_path, "key", maker("a", calls))
    assert not hit
    assert sorted(p.name for p in first.iterdir()) == ["manifest.json", "result"]
    again, hit = cache.entry(tmp_path, "key", maker("b", calls))
    assert hit
    assert (again / "result").read_text() == "a"
    assert len(calls) == 1


def manifest(content):
    def write(folder):
        path = folder / "manifest.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    return write


def as_folder(name):
    def replace(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return replace


def as_link(folder):
    (folder.parent.parent / "outside").write_text("a")
    (folder / "result").unlink()
    (folder / "result").symlink_to(folder.parent.parent / "outside")


def as_pipe(folder):
    (folder / "result").unlink()
    os.mkfifo(folder / "result")


def as_file(folder):
    shutil.rmtree(folder)
    folder.write_text("x")


def as_dead_link(folder):
    shutil.rmtree(folder)
    folder.symlink_to("nowhere")


def outside(folder):
    (folder.parent / "outside").write_text("a")
    manifest({"../outside": hashlib.sha256(b"a").hexdigest()})(folder)


DAMAGES = {
    "broken manifest": manifest(b"{"),
    "not UTF-8": manifest(b"\xff"),
    "too deep": manifest(b"[" * 100_000),
    "no object": manifest(["result"]),
    "no files": manifest({}),
    "other files": manifest({"other": "0"}),
    "numbers": manifest({"result": 1}),
    "outside": outside,
    "manifest a folder": as_folder("manifest.json"),
    "file a folder": as_folder("result"),
    "file a link": as_link,
    "file a pipe": as_pipe,
    "entry a file": as_file,
    "entry a dead link": as_dead_link,
}


@pytest.mark.parametrize("damage", ["changed", "missing", "no manifest", *DAMAGES])
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    root = tmp_path / "cache"
    folder, _ = cache.entry(root, "key", maker("a"))
    if damage == "changed":
        (folder / "result").write_text("x")
    elif damage == "missing":
        (folder / "result").unlink()
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        DAMAGES[damage](folder)
    again, hit = cache.entry(root, "key", maker("b"), ["result"])
    assert not hit
    assert (again / "result").read_text() == "b"
    (root / "outside").unlink(missing_ok=True)
    assert [p.name for p in root.iterdir()] == ["key"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_or_interrupted_maker_leaves_nothing(tmp_path, error):
    def make(folder):
        (folder / "result").write_text("half")
        raise error

    with pytest.raises(error):
        cache.entry(tmp_path, "key", make)
    assert list(tmp_path.iterdir()) == []


def test_of_concurrent_makers_one_wins(tmp_path):
    barrier = threading.Barrier(4)
    found = []

    def work(text):
        def make(folder):
            barrier.wait(timeout=10)
            return maker(text)(folder)

        found.append(cache.entry(tmp_path, "key", make))

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [folder for folder, _ in found] == [tmp_path / "key"] * 4
    assert (tmp_path / "key" / "result").read_text() in "0123"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_leftovers_of_killed_makers_are_swept(tmp_path):
    for name, age in ((".making-old", 3 * 86_400), (".making-new", 60)):
        (tmp_path / name).mkdir()
        stamp = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (stamp, stamp))
    cache.entry(tmp_path, "key", maker("a"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".making-new", "key"]


def test_digests_keep_the_boundaries_of_parts():
    assert cache.digest(["ab", "c"]) != cache.digest(["a", "bc"])
    assert cache.digest(["ab"]) == cache.digest([b"ab"])


WITHOUT_HOME = """
import numpy as np
import bitwright as bw
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.targets.rap.simulator import compiled
from bitwright.files import user_folder
from bitwright.tools import cache
node = Node("y", ops.Dense([[1, 2, 3]], IntType(4, True)), ("input",))
network = Network(InputSpec(TensorType((3,), IntType(2))), [node])
design = bw.compile(network, "rap")
print(user_folder() == user_folder() == cache.folder(None))
print(cache.entry(user_folder(), "key", lambda work: [(work / "a").write_text("a") and work / "a"])[1])
"""


@pytest.mark.parametrize("home", ["/dev/null/x", "/proc", "file/below"])
def test_an_installation_that_cannot_be_written_works(tmp_path, home):
    """The sources below a file system that takes no cache of compiled functions, a home that is none."""
    (tmp_path / "file").write_text("x")
    home = str(tmp_path / home)
    (tmp_path / "tmp").mkdir()
    package = tmp_path / "site" / "bitwright"
    shutil.copytree(Path(cache.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *package.rglob("*")]:
        if folder.is_dir() and next(folder.glob("*.py"), None):
            (folder / "__pycache__").write_text("no folder")
    own = {
        "HOME": home,
        "XDG_CACHE_HOME": f"{home}/cache",
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONPATH": str(package.parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME], cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\nFalse\n"
    assert done.stderr.count("cannot be written; results are cached in") == 1
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "tmp").glob("bitwright-*/*"))


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[" * 100_000, b"[]", b"7", b'{"loss": 1}', b'{"sha256": 1, "result": {}}']
)
def test_damaged_results_of_a_search_count_as_none(tmp_path, content):
    results = ResultCache(tmp_path)
    results.put("abcd", {"loss": 0.5})
    path = tmp_path / "ab" / "abcd.json"
    assert results.get("abcd") == {"loss": 0.5}
    path.write_bytes(content)
    assert results.get("abcd") is None
    path.unlink()
    path.mkdir()
    assert results.get("abcd") is None
    results.put("abcd", {"loss": 1.5})
    assert results.get("abcd") == {"loss": 1.5}


def test_a_clock_that_is_set_back_changes_nothing(tmp_path):
    """What lies there is from the future then."""
    cache.entry(tmp_path, "key", maker("a"))
    (tmp_path / ".making-other").mkdir()
    future = (tmp_path / "key").stat().st_mtime + 30 * 86_400
    for path in tmp_path.rglob("*"):
        os.utime(path, (future, future))
    found, hit = cache.entry(tmp_path, "key", maker("b"))
    assert hit
    assert (found / "result").read_text() == "a"
    assert not cache.entry(tmp_path, "other", maker("b"))[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".making-other", "key", "other"]


ONE_OF_MANY = """
import sys
from pathlib import Path
from bitwright.tools import cache

def make(folder):
    (folder / "result").write_text(sys.argv[2] * 1_000_000)
    return [folder / "result"]

for number in range(40):
    found, _ = cache.entry(Path(sys.argv[1]), f"key{number}", make)
    assert len(set((found / "result").read_text())) == 1
"""


def test_processes_share_a_cache(tmp_path):
    """All of them take what one of them made whole."""
    start = [sys.executable, "-c", ONE_OF_MANY, str(tmp_path)]
    processes = [subprocess.Popen([*start, text], stderr=subprocess.PIPE, text=True) for text in "abc"]
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert {p.name for p in tmp_path.iterdir()} == {f"key{number}" for number in range(40)}
    assert all(len(set((p / "result").read_text())) == 1 for p in tmp_path.iterdir())
