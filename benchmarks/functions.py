"""What functions of a matrix cost, beside one eigendecomposition of the same framework and beside its peers.

    python benchmarks/functions.py [--n 1000] [--repeats 7] [--threads 2] [--framework NAME …]

One process a framework; the calls take turns, and ratios are those of one turn: median, least and most. `budget` is
1.3 × eigh + 6 matrix products. The second derivative runs in a process of its own, whose memory is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib import util

import numpy as np
import pools
from timing import spread, turns

FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax", "autograd")


def matrices(n):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, n))
    C = rng.standard_normal((n, n))
    return X @ X.T / n + 0.1 * np.eye(n), (C + C.T) / n


def calls(framework, n):
    """Name → what to time; a second derivative of <C, √A> along C comes last."""
    A, C = matrices(n)
    return {"numpy": of_numpy, "torch": of_torch, "tensorflow": of_tensorflow, "jax": of_jax, "autograd": of_autograd}[
        framework
    ](A, C)


def of_numpy(A, C):
    import scipy.linalg

    import eigengrad.numpy as eg

    return {
        "eigh": lambda: np.linalg.eigh(A),
        "product": lambda: A @ C,
        "sqrtm": lambda: eg.vjp(eg.sqrtm, A)[1](C),
        "expm": lambda: eg.vjp(eg.expm, A)[1](C),
        "scipy.linalg.sqrtm (no gradient)": lambda: scipy.linalg.sqrtm(A),
        "second derivative": lambda: eg.hvp(eg.sqrtm, A, C, C),
    }


def of_torch(A, C):
    import torch

    import eigengrad.torch as eg

    pools.limit(int(os.environ["OMP_NUM_THREADS"]))
    a, c = torch.as_tensor(A), torch.as_tensor(C)

    def gradient(f):
        x = a.clone().requires_grad_()
        (f(x) * c).sum().backward()

    def own(x):
        w, v = torch.linalg.eigh(x)
        return (v * w.sqrt()) @ v.T

    return {
        "eigh": lambda: torch.linalg.eigh(a),
        "product": lambda: a @ c,
        "sqrtm": lambda: gradient(eg.sqrtm),
        "expm": lambda: gradient(eg.expm),
        "autodiff through torch.linalg.eigh": lambda: gradient(own),
        "torch.matrix_exp": lambda: gradient(torch.matrix_exp),
        "second derivative": lambda: torch.func.jvp(torch.func.grad(lambda x: (eg.sqrtm(x) * c).sum()), (a,), (c,)),
    }


def of_tensorflow(A, C):
    import tensorflow as tf

    import eigengrad.tensorflow as eg

    a, c = tf.constant(A), tf.constant(C)

    def gradient(f):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = tf.reduce_sum(f(a) * c)
        return tape.gradient(y, a).numpy()

    def own(x):
        w, v = tf.linalg.eigh(x)
        return tf.matmul(v * tf.sqrt(w), v, transpose_b=True)

    def second():
        with tf.autodiff.ForwardAccumulator(a, c) as accumulator:
            with tf.GradientTape() as tape:
                tape.watch(a)
                y = tf.reduce_sum(eg.sqrtm(a) * c)
            g = tape.gradient(y, a)
        return accumulator.jvp(g).numpy()

    return {
        "eigh": lambda: tf.linalg.eigh(a)[0].numpy(),
        "product": lambda: (a @ c).numpy(),
        "sqrtm": lambda: gradient(eg.sqrtm),
        "expm": lambda: gradient(eg.expm),
        "autodiff through tf.linalg.eigh": lambda: gradient(own),
        "tf.linalg.sqrtm (its gradient takes n⁴ numbers)": lambda: tf.linalg.sqrtm(a).numpy(),
        "tf.linalg.expm": lambda: gradient(tf.linalg.expm),
        "second derivative": second,
    }


def of_jax(A, C):
    import jax
    import jax.numpy as jnp

    import eigengrad.jax as eg

    jax.config.update("jax_enable_x64", True)
    a, c = jnp.asarray(A), jnp.asarray(C)

    def gradient(f):
        compiled = jax.jit(jax.grad(lambda x: jnp.sum(f(x) * c)))
        return lambda: compiled(a).block_until_ready()

    def own(x):
        w, v = jnp.linalg.eigh(x)
        return (v * jnp.sqrt(w)) @ v.T

    eigh, product = jax.jit(jnp.linalg.eigh), jax.jit(jnp.matmul)
    second = jax.jit(lambda x: jax.jvp(jax.grad(lambda x: jnp.sum(eg.sqrtm(x) * c)), (x,), (c,))[1])
    return {
        "eigh": lambda: jax.block_until_ready(eigh(a)),
        "product": lambda: product(a, c).block_until_ready(),
        "sqrtm": gradient(eg.sqrtm),
        "expm": gradient(eg.expm),
        "autodiff through jnp.linalg.eigh": gradient(own),
        "jax.scipy.linalg.expm": gradient(jax.scipy.linalg.expm),
        "second derivative": lambda: second(a).block_until_ready(),
    }


def of_autograd(A, C):
    import autograd
    import autograd.numpy as anp

    import eigengrad.autograd as eg

    def gradient(f):
        return lambda: autograd.grad(lambda x: anp.sum(f(x) * C))(A)

    def own(x):
        w, v = anp.linalg.eigh(x)
        return anp.dot(v * anp.sqrt(w), v.T)

    return {
        "eigh": lambda: np.linalg.eigh(A),
        "product": lambda: A @ C,
        "sqrtm": gradient(eg.sqrtm),
        "expm": gradient(eg.expm),
        "autodiff through autograd.numpy.linalg.eigh": gradient(own),
        "second derivative": lambda: autograd.make_jvp(gradient_of(autograd, anp, eg, C))(A)(C),
    }


def gradient_of(autograd, anp, eg, C):
    return autograd.grad(lambda x: anp.sum(eg.sqrtm(x) * C))


def times(framework, n, repeats):
    """Seconds of every call, turn by turn."""
    all_calls = calls(framework, n)
    all_calls.pop("second derivative")
    for call in all_calls.values():
        call()
    return turns(all_calls, repeats)


def memory(framework, n):
    """MiB of a second derivative above the baseline, which has done an eigh, and all else with a small matrix."""
    small = calls(framework, 20)
    small["sqrtm"]()
    small["second derivative"]()
    all_calls = calls(framework, n)
    all_calls["eigh"]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    all_calls["second derivative"]()
    return {
        "MiB": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "seconds": time.perf_counter() - start,
    }


def report(framework, found, second):
    t = {name: np.array(values) for name, values in found.items()}
    budget = 1.3 * t["eigh"] + 6 * t["product"]
    print(f"\n{framework}: eigh {np.median(t['eigh']):.3f} s, a product {np.median(t['product']):.3f} s")
    print(f"  {'in units of one eigh':<46} {'median  (least … most)'}")
    for name in t:
        if name not in ("eigh", "product"):
            print(f"  {name:<46} {spread(t[name] / t['eigh'])}")
    print(f"  {'sqrtm, in units of its budget':<46} {spread(t['sqrtm'] / budget)}")
    print(f"  second derivative: {second['seconds']:.2f} s, {second['MiB']:.0f} MiB above the baseline")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--framework", nargs="*", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--json", action="store_true", help="what the processes print")
    parser.add_argument("--part", choices=("times", "memory"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        (framework,) = options.framework
        part = times(framework, options.n, options.repeats) if options.part == "times" else memory(framework, options.n)
        json.dump(part, sys.stdout)
        return
    environment = pools.environment(options.threads)
    print(f"forward and backward of <C, f(A)>, n = {options.n}, {options.threads} threads, {options.repeats} turns")
    for framework in options.framework:
        if util.find_spec(framework) is None:
            print(f"\n{framework}: not installed")
            continue
        parts = []
        for part in ("times", "memory"):
            command = [sys.executable, __file__, "--part", part, "--framework", framework, "--n", str(options.n)]
            command += ["--repeats", str(options.repeats)]
            run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            parts.append(json.loads(run.stdout))
        if options.json:
            print(json.dumps({"framework": framework, "times": parts[0], "second": parts[1]}))
        else:
            report(framework, *parts)


if __name__ == "__main__":
    main()
