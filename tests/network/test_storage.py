"""The .bw file: same network, same bytes; anything else is refused in one line."""

import contextlib
import io
import json
import os
import zipfile

import numpy as np
import pytest

from bitwright.errors import ModelError
from bitwright.network import storage


@pytest.mark.parametrize("seed", range(30))
def test_round_trip_keeps_everything(random_network, seed):
    network = random_network(seed)
    data = storage.to_bytes(network)
    again = storage.from_bytes(data)
    assert again.digest == network.digest
    assert (again.name, again.source) == (network.name, network.source)
    assert [n.op for n in again.nodes] == [n.op for n in network.nodes]
    assert storage.to_bytes(again) == data


def test_file_round_trip(random_network, tmp_path):
    network = random_network(0)
    path = tmp_path / "net.bw"
    storage.save(network, path)
    assert storage.load(path).digest == network.digest
    assert [p.name for p in tmp_path.iterdir()] == ["net.bw"]


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless(random_network):
    network = random_network(1)
    data = storage.to_bytes(network)
    for end in range(0, len(data), 53):
        with pytest.raises(ModelError):
            storage.from_bytes(data[:end])
    for place in range(0, len(data), 17):
        broken = bytearray(data)
        broken[place] ^= 0x55
        with contextlib.suppress(ModelError):
            assert storage.from_bytes(bytes(broken)).digest == network.digest


def rewritten(data: bytes, **changed: object) -> bytes:
    """The file with entries of its header replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "format.json":
                content = json.dumps({**json.loads(content), **changed}).encode()
            new.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 7}, "file format version 7; this bitwright reads versions 1 and 2"),
        ({"format": "something"}, "not a bitwright network"),
        ({"digest": "0"}, "the file is damaged: its digest does not fit its content"),
    ],
)
def test_wrong_headers(random_network, tmp_path, changed, message):
    path = tmp_path / "net.bw"
    path.write_bytes(rewritten(storage.to_bytes(random_network(2)), **changed))
    with pytest.raises(ModelError) as caught:
        storage.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_pickled_arrays_are_never_loaded(random_network):
    data = storage.to_bytes(random_network(2))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    entries["arrays/0.npy"] = pickled.getvalue()
    del entries["format.json"]
    header = {"format": storage.FORMAT, "version": storage.VERSION, "digest": storage._digest(entries)}
    evil = storage._zip({"format.json": json.dumps(header).encode(), **entries})
    with pytest.raises(ModelError, match="Object arrays cannot be loaded"):
        storage.from_bytes(evil)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "net.bw"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"not a \.bw file|damaged or cut short"):
        storage.load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        storage.load(tmp_path / "none.bw")
    with pytest.raises(ModelError, match="Is a directory"):
        storage.load(tmp_path)


def test_a_failed_save_leaves_nothing(random_network, tmp_path, monkeypatch):
    path = tmp_path / "net.bw"
    path.write_bytes(b"old")

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        storage.save(random_network(0), path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.bw"]
    assert path.read_bytes() == b"old"
