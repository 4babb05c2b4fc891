"""What our `eigh` costs beside the eigensolver alone, forward and backward, for losses that ask for little or for all.

    python benchmarks/dense.py [--n 1000] [--threads 1] [--framework NAME …] [--repeats 9] [--dtype float64] [--memory]

One process a framework. In it all calls take turns, and a ratio is that of one turn: median, least and most, in units
of the framework's own forward `eigh` (for NumPy `scipy.linalg.eigh(driver="evd")`). A loss is its cotangents alone, so
that none of its own work is counted. With one thread it is the CPU time of a process that is pinned to one core, with
more it is wall time. `--memory`: MiB that one backward takes above what was there before, in units of n² numbers.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from importlib import util

FRAMEWORKS = ("numpy", "torch", "jax", "tensorflow")
LOSSES = ("one eigenvalue", "all eigenvalues", "six vectors", "all vectors")
FUNCTIONS = ("expm", "sqrtm", "logm")


def problem(n, dtype):
    """A symmetric matrix, a positive one, a symmetric cotangent, and cotangents of w and V for every loss."""
    import numpy as np

    rng = np.random.default_rng(0)
    X, C = rng.standard_normal((2, n, n))
    A, B, C = (X + X.T) / 2, X @ X.T / n + 0.1 * np.eye(n), (C + C.T) / n
    one, some, every = np.zeros(n), np.zeros((n, n)), rng.standard_normal((n, n))
    one[n // 2] = 1.0
    some[:, :6] = every[:, :6]
    asked = dict(zip(LOSSES, [(one, None), (np.ones(n), None), (None, some), (np.ones(n), every)], strict=True))
    cast = lambda x: None if x is None else x.astype(dtype)  # noqa: E731
    return cast(A), cast(B), cast(C), {name: tuple(map(cast, g)) for name, g in asked.items()}


def of_numpy(A, B, C, asked):
    import scipy.linalg

    import eigengrad.numpy as eg

    def backward(g):
        return lambda: eg.vjp(eg.eigh, A)[1](g)

    def function(name):
        return lambda: eg.vjp(getattr(eg, name), B)[1](C)

    return {
        "eigh": lambda: scipy.linalg.eigh(A, driver="evd"),
        "forward": lambda: eg.eigh(A),
        **{name: backward(g) for name, g in asked.items()},
        **{name: function(name) for name in FUNCTIONS},
    }


def of_torch(A, B, C, asked):
    import torch

    import eigengrad.torch as eg

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    b, c = torch.as_tensor(B), torch.as_tensor(C)

    def backward(eigh, g):
        given = [(k, torch.as_tensor(x)) for k, x in enumerate(g) if x is not None]

        def run():
            x = torch.as_tensor(A).requires_grad_()
            out = eigh(x)
            return torch.autograd.grad([out[k] for k, _ in given], x, [x for _, x in given])

        return run

    def function(name):
        def run():
            x = b.detach().requires_grad_()
            return torch.autograd.grad(getattr(eg, name)(x), x, c)

        return run

    a = torch.as_tensor(A)
    return {
        "eigh": lambda: torch.linalg.eigh(a),
        "forward": lambda: eg.eigh(a),
        **{name: backward(eg.eigh, g) for name, g in asked.items()},
        **{f"torch: {name}": backward(torch.linalg.eigh, g) for name, g in asked.items()},
        **{name: function(name) for name in FUNCTIONS},
    }


def of_jax(A, B, C, asked):
    import jax
    import jax.numpy as jnp

    import eigengrad.jax as eg

    jax.config.update("jax_enable_x64", True)
    a, b, c = map(jnp.asarray, (A, B, C))

    def backward(eigh, g):
        given = {k: jnp.asarray(x) for k, x in enumerate(g) if x is not None}

        def loss(x, given):
            out = eigh(x)
            return sum(jnp.sum(out[k] * g) for k, g in given.items())

        compiled = jax.jit(jax.grad(loss))
        return lambda: compiled(a, given).block_until_ready()

    def function(name):
        compiled = jax.jit(jax.grad(lambda x, c: jnp.sum(getattr(eg, name)(x) * c)))
        return lambda: compiled(b, c).block_until_ready()

    own, ours = jax.jit(jnp.linalg.eigh), jax.jit(eg.eigh)
    return {
        "eigh": lambda: jax.block_until_ready(own(a)),
        "forward": lambda: jax.block_until_ready(ours(a)),
        **{name: backward(eg.eigh, g) for name, g in asked.items()},
        **{f"jax: {name}": backward(jnp.linalg.eigh, g) for name, g in asked.items()},
        **{name: function(name) for name in FUNCTIONS},
    }


def of_tensorflow(A, B, C, asked):
    import tensorflow as tf

    import eigengrad.tensorflow as eg

    a, b, c = map(tf.constant, (A, B, C))

    def backward(eigh, g):
        given = [(k, tf.constant(x)) for k, x in enumerate(g) if x is not None]

        def run():
            with tf.GradientTape() as tape:
                tape.watch(a)
                out = eigh(a)
                out = [out[k] for k, _ in given]
            return tape.gradient(out, a, output_gradients=[x for _, x in given]).numpy()

        return run

    def function(name):
        def run():
            with tf.GradientTape() as tape:
                tape.watch(b)
                out = getattr(eg, name)(b)
            return tape.gradient(out, b, output_gradients=c).numpy()

        return run

    return {
        "eigh": lambda: tf.linalg.eigh(a)[1].numpy(),
        "forward": lambda: eg.eigh(a)[1].numpy(),
        **{name: backward(eg.eigh, g) for name, g in asked.items()},
        **{f"tensorflow: {name}": backward(tf.linalg.eigh, g) for name, g in asked.items()},
        **{name: function(name) for name in FUNCTIONS},
    }


def calls(framework, n, dtype):
    of = {"numpy": of_numpy, "torch": of_torch, "jax": of_jax, "tensorflow": of_tensorflow}[framework]
    return of(*problem(n, dtype))


def times(framework, options):
    """Seconds of every call, turn by turn."""
    own = options.threads == 1 and hasattr(os, "sched_setaffinity")
    if own:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    clock = time.process_time if own else time.perf_counter
    found = {}
    every = calls(framework, options.n, options.dtype)
    if options.only:
        every = {name: call for name, call in every.items() if name in ("eigh", *options.only)}
    for turn in range(-1, options.repeats):  # the first compiles, and is not counted
        for name, call in every.items():
            gc.collect()  # what the last one left
            start = clock()
            call()
            if turn >= 0:
                found.setdefault(name, []).append(clock() - start)
    return found


def memory(framework, options):
    """Of a backward, above what the forward saved: in units of n² numbers, the gradient itself among them."""
    import tracemalloc

    import numpy as np

    if framework != "numpy":
        return {}
    import eigengrad.numpy as eg

    A, B, C, asked = problem(options.n, options.dtype)
    found = {}
    for name, f, a, g in [(k, "eigh", A, g) for k, g in asked.items()] + [(f, f, B, C) for f in FUNCTIONS]:
        _, pullback = eg.vjp(getattr(eg, f), a)
        tracemalloc.start()
        pullback(g)
        found[name] = tracemalloc.get_traced_memory()[1] / (options.n**2 * np.dtype(options.dtype).itemsize)
        tracemalloc.stop()
    return found


def report(framework, found, used):
    import numpy as np

    t = {name: np.array(values) for name, values in found.items()}
    print(f"\n{framework}: eigh {1e3 * np.median(t['eigh']):.1f} ms")
    for name in t:
        ratio = t[name] / t["eigh"]
        extra = f"   backward {used[name]:.1f} n²" if name in used else ""
        print(f"  {name:<32} {np.median(ratio):6.3f}  ({min(ratio):.3f} … {max(ratio):.3f}){extra}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--framework", nargs="*", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--only", nargs="*", default=(), help="names of the calls to take")
    parser.add_argument("--memory", action="store_true", help="also of the memory of a backward (NumPy)")
    parser.add_argument("--part", choices=("times", "memory"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        json.dump({"times": times, "memory": memory}[options.part](*options.framework, options), sys.stdout)
        return
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {**os.environ, **dict.fromkeys((*pools, "TF_NUM_INTEROP_THREADS"), str(options.threads))}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    clock = "CPU time on one core" if options.threads == 1 else "wall time"
    print(f"n = {options.n}, {options.dtype}, {options.threads} threads, {options.repeats} turns, {clock}")
    for framework in options.framework:
        if util.find_spec(framework) is None:
            print(f"\n{framework}: not installed")
            continue
        given = [f"--{k}={getattr(options, k)}" for k in ("n", "threads", "repeats", "dtype")]
        given += ["--only", *options.only] if options.only else []
        parts = []
        for part in ("times", "memory") if options.memory else ("times",):
            command = [sys.executable, __file__, "--part", part, *given, "--framework", framework]
            run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            parts.append(json.loads(run.stdout))
        report(framework, *parts, *[{}] * (2 - len(parts)))


if __name__ == "__main__":
    main()
