"""Each framework as tests see it: how to make an array, and the gradient of a loss of (w, V).

A harness imports its framework when it is made. The list comes from the registry; a framework that is not installed is
skipped with that reason, and fails instead where EIGENGRAD_REQUIRE names it.
"""

from __future__ import annotations

import gc
import os
from functools import cache
from importlib import util
from types import SimpleNamespace

import numpy as np
import pytest

from eigengrad import frameworks


def names():
    return [pytest.param(name, id=name) for name in frameworks.FRAMEWORKS]


@cache
def harness(name):
    if util.find_spec(name) is None:
        message = f"{frameworks.FRAMEWORKS[name].title} is not installed"
        if name in os.environ.get("EIGENGRAD_REQUIRE", "").split(","):
            pytest.fail(message)
        pytest.skip(message)
    made = {"numpy": NumPy, "torch": Torch, "tensorflow": TensorFlow, "jax": JAX, "autograd": Autograd}[name]()
    gc.freeze()  # what a framework brings is never garbage: to look through it again and again is a sixth of JAX's time
    return made


class NumPy:
    """Cotangents by hand, since NumPy has no tape."""

    second_order = "hvp: forward over reverse"

    def __init__(self):
        import eigengrad.numpy as adapter

        self.eg = adapter
        self.m = SimpleNamespace(
            sum=np.sum,
            real=np.real,
            conj=np.conj,
            array=np.asarray,
            cast=lambda x: x,
            sqrt=np.sqrt,
            log=np.log,
            exp=np.exp,
        )

    def array(self, a):
        return np.asarray(a)

    def numpy(self, x):
        return np.asarray(x)

    def half(self, a, dtype):
        return a.astype(dtype)

    def reverse(self, f, x):
        """By hand: of the one loss that is asked for in half precision."""
        (w, V), pullback = self.eg.vjp(self.eg.eigh, x)
        gV = np.zeros_like(V)
        gV[0, :2] = 2 * V[0, :2]
        return pullback((2 * w, gV))

    def gradient(self, loss, a, UPLO=None, **options):
        (w, V), pullback = self.eg.vjp(self.eg.eigh, a, UPLO, **options)
        return pullback(loss.cotangents(w, V))

    def gradient_values(self, weights, a, UPLO=None, **options):
        w, pullback = self.eg.vjp(self.eg.eigvalsh, a, UPLO, **options)
        return pullback(weights(w))

    def second(self, loss, a, E, **options):
        """The derivative along E of the gradient: <C, V c V^H> alone, whose cotangent is linear in V."""
        (w, V), (dw, dV) = self.eg.jvp(self.eg.eigh, a, E, degenerate="projector")
        gw, gV = loss.cotangents(w, V)
        return self.eg.hvp(self.eg.eigh, a, E, (gw, gV), dcotangent=(0 * gw, 2 * (loss.C @ dV) * loss.c), **options)[1]


class Torch:
    second_order = "reverse over reverse"

    def __init__(self):
        import torch

        import eigengrad.torch as adapter

        torch.set_num_threads(1)
        self.torch, self.eg = torch, adapter
        self.m = SimpleNamespace(
            sum=torch.sum,
            real=torch.real,
            conj=torch.conj,
            array=torch.as_tensor,
            cast=lambda x: x.to(torch.complex128),
            sqrt=torch.sqrt,
            log=torch.log,
            exp=torch.exp,
        )

    def array(self, a):
        return self.torch.as_tensor(a)

    def numpy(self, x):
        return x.detach().resolve_conj().numpy()

    def half(self, a, dtype):
        return self.torch.as_tensor(a).to(getattr(self.torch, dtype))

    def reverse(self, f, x):
        x = x.clone().requires_grad_()
        return self.torch.autograd.grad(f(x), x)[0]

    def gradient(self, loss, a, UPLO=None, **options):
        x = self.array(a).clone().requires_grad_()
        value = loss.value(self.m, *self.eg.eigh(x, UPLO, **options))
        return self.torch.autograd.grad(value, x)[0].resolve_conj().numpy()

    def gradient_values(self, weights, a, UPLO=None, **options):
        x = self.array(a).clone().requires_grad_()
        w = self.eg.eigvalsh(x, UPLO, **options)
        return self.torch.autograd.grad(w, x, self.torch.as_tensor(weights(self.numpy(w))))[0].resolve_conj().numpy()

    def second(self, loss, a, E, **options):
        return self.hessian(lambda x: loss.value(self.m, *self.eg.eigh(x, **options)), a, E)

    def hessian(self, f, a, E):
        x = self.array(a).clone().requires_grad_()
        (g,) = self.torch.autograd.grad(f(x), x, create_graph=True)
        along = (g * self.array(E).conj()).real.sum() if g.is_complex() else (g * self.array(E)).sum()
        return self.torch.autograd.grad(along, x)[0].resolve_conj().numpy()


class TensorFlow:
    second_order = "tape over tape"

    def __init__(self):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        import eigengrad.tensorflow as adapter

        self.tf, self.eg = tf, adapter
        self.m = SimpleNamespace(
            sum=tf.reduce_sum,
            real=tf.math.real,
            conj=tf.math.conj,
            array=tf.convert_to_tensor,
            cast=lambda x: tf.cast(x, tf.complex128),
            sqrt=tf.sqrt,
            log=tf.math.log,
            exp=tf.exp,
        )

    def array(self, a):
        return self.tf.constant(a)

    def numpy(self, x):
        return x.numpy()

    def half(self, a, dtype):
        return self.tf.cast(a, dtype)

    def reverse(self, f, x):
        with self.tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.gradient(y, x)

    def gradient(self, loss, a, UPLO=None, **options):
        x = self.array(a)
        with self.tf.GradientTape() as tape:
            tape.watch(x)
            value = loss.value(self.m, *self.eg.eigh(x, UPLO, **options))
        return tape.gradient(value, x).numpy()

    def gradient_values(self, weights, a, UPLO=None, **options):
        x = self.array(a)
        with self.tf.GradientTape() as tape:
            tape.watch(x)
            w = self.eg.eigvalsh(x, UPLO, **options)
        return tape.gradient(w, x, output_gradients=self.array(weights(w.numpy()))).numpy()

    def second(self, loss, a, E, **options):
        return self.hessian(lambda x: loss.value(self.m, *self.eg.eigh(x, **options)), a, E)

    def hessian(self, f, a, E):
        tf, x = self.tf, self.array(a)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = f(x)
            g = inner.gradient(value, x)
            along = tf.reduce_sum(tf.math.real(tf.math.conj(g) * self.array(E)))
        return outer.gradient(along, x).numpy()


class JAX:
    """Gradients are JAX's conjugates, turned back here."""

    second_order = "grad of grad"

    def __init__(self):
        import jax
        import jax.numpy as jnp

        import eigengrad.jax as adapter

        jax.config.update("jax_enable_x64", True)
        # Compiling is most of the time of the tests; `make grid` takes what users take.
        jax.config.update("jax_disable_most_optimizations", "EIGENGRAD_OPTIMIZE" not in os.environ)
        self.jax, self.eg = jax, adapter
        self.m = SimpleNamespace(
            sum=jnp.sum,
            real=jnp.real,
            conj=jnp.conj,
            array=jnp.asarray,
            cast=lambda x: x.astype(complex),
            sqrt=jnp.sqrt,
            log=jnp.log,
            exp=jnp.exp,
        )

    def array(self, a):
        return self.jax.numpy.asarray(a)

    def numpy(self, x):
        return np.asarray(x)

    def half(self, a, dtype):
        return self.array(a).astype(dtype)

    def reverse(self, f, x):
        return self.jax.grad(f)(x)

    def gradient(self, loss, a, UPLO=None, **options):
        function = self.jax.grad(lambda x: loss.value(self.m, *self.eg.eigh(x, UPLO, **options)))
        return np.conj(function(self.array(a)))

    def gradient_values(self, weights, a, UPLO=None, **options):
        w, back = self.jax.vjp(lambda x: self.eg.eigvalsh(x, UPLO, **options), self.array(a))
        return np.conj(back(self.jax.numpy.asarray(weights(np.asarray(w)), dtype=w.dtype))[0])

    def second(self, loss, a, E, **options):
        return self.hessian(lambda x: loss.value(self.m, *self.eg.eigh(x, **options)), a, E)

    def hessian(self, f, a, E):
        first = self.jax.grad(f)
        along = self.jax.grad(lambda x: self.m.sum(self.m.real(first(x) * self.array(E))))
        return np.conj(along(self.array(a)))


class Autograd:
    """Gradients are autograd's conjugates, turned back here."""

    second_order = "grad of grad"

    def __init__(self):
        import autograd
        import autograd.numpy as anp

        import eigengrad.autograd as adapter

        self.autograd, self.anp, self.eg = autograd, anp, adapter
        self.m = SimpleNamespace(
            sum=anp.sum,
            real=anp.real,
            conj=anp.conj,
            array=np.asarray,
            cast=lambda x: x + 0j,
            sqrt=anp.sqrt,
            log=anp.log,
            exp=anp.exp,
        )

    def array(self, a):
        return np.asarray(a)

    def numpy(self, x):
        return np.asarray(x)

    def half(self, a, dtype):
        return a.astype(dtype)

    def reverse(self, f, x):
        return self.autograd.grad(f)(x)

    def gradient(self, loss, a, UPLO=None, **options):
        function = self.autograd.grad(lambda x: loss.value(self.m, *self.eg.eigh(x, UPLO, **options)))
        return np.conj(function(self.array(a)))

    def gradient_values(self, weights, a, UPLO=None, **options):
        back, w = self.autograd.make_vjp(lambda x: self.eg.eigvalsh(x, UPLO, **options))(self.array(a))
        return np.conj(back(np.asarray(weights(w), dtype=w.dtype)))

    def second(self, loss, a, E, **options):
        return self.hessian(lambda x: loss.value(self.m, *self.eg.eigh(x, **options)), a, E)

    def hessian(self, f, a, E):
        first = self.autograd.grad(f)
        return np.conj(self.autograd.grad(lambda x: self.m.sum(self.m.real(first(x) * E)))(self.array(a)))
