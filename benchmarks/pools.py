"""How many threads compute: every pool of every library is told, most of them before it is loaded."""

from __future__ import annotations

import os
import sys

#: Read when a library is loaded. OpenBLAS, MKL, BLIS and Accelerate serve NumPy and SciPy, OpenMP serves torch.
POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def environment(threads: int) -> dict[str, str]:
    """The environment of a process that computes with so many threads, and is quiet."""
    pools = dict.fromkeys(POOLS, str(threads))
    xla = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
    return {**os.environ, **pools, "XLA_FLAGS": xla, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}


def pin(threads: int) -> list[int] | None:
    """Keeps this process on so many cores, the last ones: what asks no variable, as XLA's pool, counts these.

    Returns the cores, or None where the system has no such call.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    return cores


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit(threads: int) -> None:
    """Tells the frameworks that are loaded and have a call for it, before they compute anything; twice is no error."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
        if torch.get_num_interop_threads() != threads:
            torch.set_num_interop_threads(threads)
    if tensorflow := sys.modules.get("tensorflow"):
        pools = tensorflow.config.threading
        if pools.get_intra_op_parallelism_threads() != threads:
            pools.set_intra_op_parallelism_threads(threads)
        if pools.get_inter_op_parallelism_threads() != threads:
            pools.set_inter_op_parallelism_threads(threads)
