"""`fit` on a Dask cluster, of which parts are killed in the middle."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from quick_fit import QUICK

import bitwright as bw
from bitwright.errors import ToolError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
SETTINGS = {**QUICK, "max_loss": 10.0}


def start(*command):
    return subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.PIPE, text=True, start_new_session=True)


def address(process):
    for line in process.stderr:
        if match := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            return match[1]
    raise AssertionError("the scheduler did not start")


@contextlib.contextmanager
def cluster():
    """Address, scheduler and two workers."""
    distributed = pytest.importorskip("distributed")
    scheduler = start("distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
    processes, readers = [scheduler], []
    try:
        where = address(scheduler)
        more = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        processes += [start("distributed.cli.dask_worker", where, *more) for _ in range(2)]
        for process in processes:
            readers.append(threading.Thread(target=process.stderr.read))
            readers[-1].start()
        with distributed.Client(where) as client:
            client.wait_for_workers(2, timeout=60)
        yield where, *processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for reader in readers:
            reader.join()
        for process in processes:
            process.stderr.close()


class Killer:
    """A progress callback that kills a process in the middle of the networks."""

    def __init__(self, victim):
        self.victim, self.killed = victim, None

    def __call__(self, what, done, total):
        if what == "networks" and 0 < done < total and not self.killed:
            self.killed = done, total
            os.kill(self.victim.pid, signal.SIGKILL)


def test_a_cluster_that_loses_a_worker_gives_the_same_front(small_graph, data, labels, tmp_path):
    local = bw.fit(small_graph, data, data, labels, **SETTINGS, cache=str(tmp_path / "a"))
    with cluster() as (where, _, _, victim):
        watch = Killer(victim)
        more = {"cluster": where, "cache": str(tmp_path / "b"), "progress": watch}
        remote = bw.fit(small_graph, data, data, labels, **SETTINGS, **more)
    assert watch.killed
    assert remote.points == local.points
    assert remote.recommendation == local.recommendation


def test_a_cluster_that_loses_its_scheduler_is_one_line_and_resumes(small_graph, data, labels, tmp_path, capfd):
    local = bw.fit(small_graph, data, data, labels, **SETTINGS, cache=str(tmp_path / "a"))
    with cluster() as (where, victim, _, _):
        watch = Killer(victim)
        more = {"cluster": where, "cache": str(tmp_path / "b"), "progress": watch}
        with pytest.raises(ToolError, match=f"the Dask scheduler at {where} is gone") as told:
            bw.fit(small_graph, data, data, labels, **SETTINGS, **more)
    assert "\n" not in str(told.value)
    assert "Traceback" not in capfd.readouterr().err
    assert watch.killed
    seen = []
    resumed = bw.fit(
        small_graph, data, data, labels, **SETTINGS, cache=str(tmp_path / "b"), progress=lambda *what: seen.append(what)
    )
    assert next(done for what, done, _ in seen if what == "networks") >= watch.killed[0]
    assert resumed.points == local.points
