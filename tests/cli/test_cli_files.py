"""Files that are no files, archives that are bombs, disks that are full: one line each, at once."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import bitwright as bw
from bitwright.errors import ModelError
from bitwright.network import storage


@pytest.fixture(params=["pipe", "device", "endless", "folder", "loop"])
def odd(request, tmp_path):
    path = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/null", "endless": "/dev/zero", "loop": "odd"}[request.param])
    return path


def test_odd_files_as_models(fails, odd, data):
    for command in ("check", "compare"):
        assert str(odd) in fails(command, odd)
    for suffix in (".bw", ".onnx"):
        link = odd.with_name(f"link{suffix}")
        link.symlink_to(odd)
        assert str(link) in fails("evaluate", link, "--data", data)


def test_odd_files_as_data(fails, odd, model, float_onnx, tmp_path):
    assert str(odd) in fails("evaluate", model, "--data", odd)
    assert str(odd) in fails("quantize", float_onnx, "--data", odd, "-o", tmp_path / "q.bw")


@pytest.mark.parametrize("name", ["design.json", "estimate.json", "network.bw", "synthesis.json"])
def test_odd_files_in_build_folders(fails, run, odd, model, tmp_path, name):
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(odd)
    assert str(folder) in fails("report", folder)


@pytest.mark.parametrize("path", ["../../secret", "/etc/hostname", "a/../../../secret", "", "a\nb"])
def test_build_folders_name_no_file_outside(fails, run, model, tmp_path, path):
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "design"
    assert run("compile", model, "-o", folder)[0] == 0
    tree = json.loads((folder / "design.json").read_text())
    tree["files"].append(path)
    (folder / "design.json").write_text(json.dumps(tree))
    assert "cannot be used: " in fails("report", folder)


def bw_file(path, **entries):
    """A `.bw` file of the given entries, with the digest that fits them."""
    contents = {name.replace("__", "/").replace("_", "."): content for name, content in entries.items()}
    header = {"format": storage.FORMAT, "version": storage.VERSION, "digest": storage._digest(contents)}
    path.write_bytes(storage._zip({"format.json": json.dumps(header).encode(), **contents}))
    return path


def tree_of(network):
    with zipfile.ZipFile(io.BytesIO(storage.to_bytes(network))) as archive:
        return json.loads(archive.read("network.json")), {n: archive.read(n) for n in archive.namelist() if "npy" in n}


def edited(network, path, change):
    """The network's file with a changed tree and the digest that fits."""
    tree, arrays = tree_of(network)
    change(tree)
    contents = {"network.json": json.dumps(tree).encode(), **arrays}
    header = {"format": storage.FORMAT, "version": storage.VERSION, "digest": storage._digest(contents)}
    path.write_bytes(storage._zip({"format.json": json.dumps(header).encode(), **contents}))
    return path


def test_a_zip_bomb(fails, tmp_path):
    path = tmp_path / "bomb.bw"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(30):
            archive.writestr(f"arrays/{i}.npy", bytes(10**8))
    assert path.stat().st_size < 4 * 10**6
    assert "unpacks to 3,000,000,000 bytes; the budget allows 2,147,483,648" in fails("check", path)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b"NaN", b'{"a":1,"a":2}', b"\xff"]
)
def test_odd_json(fails, tmp_path, text):
    line = fails("check", bw_file(tmp_path / "odd.bw", network_json=text))
    assert len(line) < 400
    assert "odd.bw: the file" in line


@pytest.mark.parametrize("name", [7, None, [], ["a"], {}, True, "", "x" * 5000])
def test_names_that_are_no_names(fails, network, tmp_path, name):
    def change(tree):
        tree["nodes"][0]["name"] = name

    assert "name" in fails("check", edited(network, tmp_path / "odd.bw", change))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stride", [1.5, 1]),
        ("stride", ["1", 1]),
        ("groups", "1"),
        ("groups", True),
        ("groups", None),
        ("pads", [10**9, 0, 10**9, 0]),
        ("dilation", [10**30, 1]),
        ("pad_value", 0.0),
        ("weight", {"array": "arrays/99.npy"}),
        ("weight", [1, 2]),
        ("unknown", 1),
    ],
)
def test_fields_of_other_types(fails, network, tmp_path, field, value):
    def change(tree):
        tree["nodes"][0][field] = value

    line = fails("check", edited(network, tmp_path / "odd.bw", change))
    assert "odd.bw" in line
    assert len(line) < 400


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }"),
        header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }"),
        header("{'descr': '<i8', 'fortran_order': False, 'shape': (1.5,), }"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + bytes(8),
        header("(" * 3000),
        header("None" + " " * 60_000),
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_damaged_arrays(fails, network, model, tmp_path, content):
    tree, arrays = tree_of(network)
    contents = {"network.json": json.dumps(tree).encode(), **arrays, "arrays/2.npy": content}
    digest = {"format": storage.FORMAT, "version": storage.VERSION, "digest": storage._digest(contents)}
    path = tmp_path / "odd.bw"
    path.write_bytes(storage._zip({"format.json": json.dumps(digest).encode(), **contents}))
    assert "does not describe a network: " in fails("check", path)
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert "is no .npz file of plain arrays" in fails("evaluate", model, "--data", tmp_path / "data.npz")


def test_fortran_order_is_read(network, tmp_path):
    tree, arrays = tree_of(network)
    for name, content in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asfortranarray(np.load(io.BytesIO(content))))
        arrays[name] = buffer.getvalue()
    contents = {"network.json": json.dumps(tree).encode(), **arrays}
    digest = {"format": storage.FORMAT, "version": storage.VERSION, "digest": storage._digest(contents)}
    (tmp_path / "f.bw").write_bytes(storage._zip({"format.json": json.dumps(digest).encode(), **contents}))
    assert bw.load(tmp_path / "f.bw").digest == network.digest


def test_the_option_raises_the_budget(run, fails, model):
    assert "raise it: --limit elements=64)" in fails("check", model, "--limit", "elements=63").replace("64e0", "64")
    assert run("check", model, "--limit", "elements=63,elements=1e3,nodes=10")[0] == 0
    for text in ("elements", "elements=x", "elements=0", "size=3", "elements=nan"):
        assert "legal" in fails("check", model, "--limit", text)


def test_networks_of_any_origin_are_limited(network):
    with bw.limit(elements=20), pytest.raises(ModelError, match="the network's input has 32 elements"):
        bw.network.Network(network.input, network.nodes)
    with bw.limit(macs=1000), pytest.raises(ModelError, match=r"one sample takes .* macs"):
        bw.network.Network(network.input, network.nodes)


@pytest.mark.parametrize(
    "content", ["rows = " + "[" * 5000, "rows = 0x" + "f" * 100_000, "rows = 1" * 10**6, "rows = 'a'"]
)
def test_hardware_files(tmp_path, content):
    from importlib import import_module

    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(bw.UserError) as error:
        import_module("bitwright.targets.bitsys.hardware").load(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("output", ["/dev/full", "small/out"])
def test_a_full_disk_is_named(model, data, float_onnx, tmp_path, output):
    """A limit on the size of files stands for the full disk."""
    (tmp_path / "small").mkdir()
    code = "import resource, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)); "
    code += "from bitwright.cli import main; sys.exit(main(sys.argv[1:]))"
    commands = {
        "quantize": ["quantize", float_onnx, "--data", data, "-o"],
        "compile": ["compile", model, "--target", "rap", "-o"],
    }
    for arguments in commands.values():
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments), output], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1
        assert Path(output).name in done.stderr
    assert [p.name for p in (tmp_path / "small").iterdir()] == []
