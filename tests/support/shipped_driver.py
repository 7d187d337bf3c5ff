"""The driver that `deploy` wrote, as a module and as a command."""

import importlib.util
import json
import subprocess
import sys


def shipped(path):
    """The module of a driver's file."""
    spec = importlib.util.spec_from_file_location(f"shipped_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_driver(path, *options):
    """What the driver prints, as a user runs it."""
    command = [sys.executable, path, "--simulate", "--timeout", "300", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
