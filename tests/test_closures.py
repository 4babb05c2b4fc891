"""What a user's function sees beside its arguments: no gradient is lost in it, and no program is taken for another."""

from __future__ import annotations

import numpy as np
import pytest
from harness import harness

import eigengrad
from eigengrad import functions
from eigengrad.errors import ClosureError, FrameworkError, OptionError

CALLS = pytest.mark.parametrize("call", ["funm", "trace_funm", "spectral"])
A = np.diag([1.0, 2.0, 3.0])
LOST = pytest.raises(ClosureError, match="Hand it over in args")


def seen(m, b, call):
    """A function that sees b."""
    return (lambda w: b * m.sum(w, -1)) if call == "spectral" else (lambda x: b * x)


@CALLS
def test_in_tensorflow_by_an_accumulator_and_around_a_function(call):
    h = harness("tensorflow")
    tf, a, b = h.tf, h.array(A), h.array(np.array(2.0))
    variable = tf.Variable(b)
    function = getattr(h.eg, call)
    with tf.autodiff.ForwardAccumulator(b, tf.ones_like(b)), LOST:
        function(a, seen(h.m, b, call))
    whole = tf.function(lambda a, b: function(a, seen(h.m, b, call)), autograph=False)
    with LOST:
        whole(a, b)
    with LOST:
        tf.function(lambda a: function(a, seen(h.m, variable, call)), autograph=False)(a)
    with tf.GradientTape() as tape, LOST:
        tape.watch(b)
        tf.function(lambda a: function(a, seen(h.m, b, call)), autograph=False)(a)
    # Where nothing would come back anyway: a constant, small or large, and what is stopped.
    constants = tf.constant(2.0, tf.float64), tf.constant(np.full(1000, 2.0))
    for c in (constants[0], constants[1][0], tf.stop_gradient(variable)):
        of = seen(h.m, c, call)
        found = tf.function(lambda a: function(a, of), autograph=False)(a)  # noqa: B023 - called at once
        assert np.allclose(found, function(a, seen(h.m, 2.0, call)))
    stopped = tf.function(lambda a, b: function(a, seen(h.m, tf.stop_gradient(b), call)), autograph=False)
    assert np.allclose(stopped(a, b), function(a, seen(h.m, 2.0, call)))


@pytest.mark.slow
@CALLS
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")  # compilers'
def test_in_torch_by_a_compiler(call):
    h = harness("torch")
    torch, a, b = h.torch, h.array(A).requires_grad_(), h.array(np.array(2.0)).requires_grad_()
    function = getattr(h.eg, call)
    torch._dynamo.reset()
    with LOST:
        torch.compile(lambda a, b: function(a, seen(h.m, b, call)), backend="eager")(a, b)
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="_refuse_what_the_function_depends_on"):
        torch.compile(lambda a, b: function(a, seen(h.m, b, call)), backend="eager", fullgraph=True)(a, b)
    torch._dynamo.reset()
    detached = torch.compile(lambda a, b: function(a, seen(h.m, b.detach(), call)), backend="eager", fullgraph=True)
    assert torch.allclose(detached(a, b), function(a, seen(h.m, 2.0, call)))


@CALLS
def test_of_another_framework(call):
    autograd = harness("autograd")
    with pytest.raises(FrameworkError, match="no derivative passes between frameworks"):
        autograd.reverse(
            lambda b: autograd.m.sum(getattr(eigengrad, call)(A, seen(autograd.m, b, call))), np.array(2.0)
        )
    plain = getattr(eigengrad, call)(A, seen(autograd.m, 2.0, call))
    assert np.allclose(plain, getattr(eigengrad, call)(A, seen(np, 2.0, call)))


def test_programs_that_print_alike():
    """Constants of a compiled function in it, rules of derivatives, what is called back."""
    h = harness("jax")
    jax, jnp, a = h.jax, h.jax.numpy, h.array(A)

    def scaled(c):
        C = jnp.array(c)
        return jax.jit(lambda x: C * x)

    def ruled(c):
        @jax.custom_jvp
        def square(x):
            return x**2

        square.defjvp(lambda x, dx: (x[0] ** 2, c * x[0] * dx[0]))
        return square

    def called(c):
        return lambda x: jax.pure_callback(lambda x: np.asarray(c * x), x, x, vmap_method="expand_dims")

    for c in (2.0, 3.0):
        assert np.allclose(np.diag(h.eg.funm(a, scaled(c))), c * np.diag(A))
        total = scaled(c)
        assert np.allclose(h.eg.spectral(a, lambda w, total=total: jnp.sum(total(w), -1)), 6 * c)
        assert np.allclose(np.diag(h.eg.funm(a, called(c))), c * np.diag(A))
        slope = jax.grad(lambda a, c=c: jnp.sum(h.eg.funm(a, ruled(c))))(a)
        assert np.allclose(np.diag(slope), c * np.diag(A))
    with LOST:
        jax.grad(lambda b: jnp.sum(h.eg.funm(a, jax.jit(lambda x: b * x))))(2.0)
    with LOST:
        jax.grad(lambda b: jnp.sum(h.eg.funm(a, ruled(b))))(2.0)


@pytest.mark.parametrize("name", ["numpy", "torch", "tensorflow", "jax", "autograd"])
def test_a_factor_is_a_number(name):
    h = harness(name)
    with pytest.raises(OptionError, match="factor is"):
        h.eg.funm(h.array(A), functions.Scaled(h.array(np.ones(2))[0:1], functions.Exp()))
