"""The folder cache: complete or absent, whatever happens."""

import os
import threading

import pytest

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


@pytest.mark.parametrize("damage", ["changed", "missing", "no manifest", "broken manifest"])
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    folder, _ = cache.entry(tmp_path, "key", maker("a"))
    if damage == "changed":
        (folder / "result").write_text("x")
    elif damage == "missing":
        (folder / "result").unlink()
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text("{")
    again, hit = cache.entry(tmp_path, "key", maker("b"))
    assert not hit
    assert (again / "result").read_text() == "b"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


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
