"""No result of the quantizer depends on the number of threads, its own or those of BLAS."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from bitwright.quantization.threads import one_blas_thread, side_by_side

PROGRAM = Path(__file__).parents[1] / "support" / "quantize_in_threads.py"
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def test_bytes_of_networks_and_searches_are_the_same_with_any_number_of_threads():
    runs = {}
    for blas, jobs in ((1, 1), (4, 2)):
        environment = {**os.environ, **dict.fromkeys(VARIABLES, str(blas))}
        command = [sys.executable, str(PROGRAM), str(jobs)]
        runs[blas, jobs] = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert runs[1, 1].count("\n") == 3
    assert len(set(runs.values())) == 1, runs


def blas_threads():
    np.linalg.inv(np.eye(2))
    return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}


def test_blas_is_limited_until_the_last_user_leaves():
    before, first_left = blas_threads(), threading.Event()

    def first():
        with one_blas_thread():
            entered.set()
            second_entered.wait()
        first_left.set()

    entered, second_entered = threading.Event(), threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with one_blas_thread():
        second_entered.set()
        first_left.wait()
        assert blas_threads() == {1}
    thread.join()
    assert blas_threads() == before


def test_results_come_in_order_and_errors_pass():
    assert side_by_side(lambda v: v * v, range(20), 3) == [v * v for v in range(20)]
    assert side_by_side(lambda v: v, [], 0) == []
    try:
        side_by_side(lambda v: 1 // v, [1, 0], 2)
    except ZeroDivisionError:
        return
    raise AssertionError("the error of an item was lost")
