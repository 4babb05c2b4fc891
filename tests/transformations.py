"""Every way in which a framework differentiates: for each framework, name → what it computes, and how.

A transformation takes a `Problem` (grid.py) and returns one of

    gradient    ∂L/∂A, as ∂/∂Re + i ∂/∂Im            slope       the derivative of L along E
    hvp         the derivative of the gradient along E    curvature   the second derivative of L along E

The gradient may be had by forward mode, direction by direction.

`LIMITS` lists what a framework cannot do, in its own words, with the cells that this concerns.
"""

from __future__ import annotations

import numpy as np

# -- PyTorch ----------------------------------------------------------------------------------------------------------


def inner(torch, g, E):
    return (g * E.conj()).real.sum() if g.is_complex() else (g * E).sum()


def torch_backward(p, f=None):
    x = p.a.clone().requires_grad_()
    return p.torch.autograd.grad((f or p.f)(x), x)[0]


def torch_double_backward(p):
    x = p.a.clone().requires_grad_()
    (g,) = p.torch.autograd.grad(p.f(x), x, create_graph=True)
    return p.torch.autograd.grad(inner(p.torch, g, p.E), x)[0]


def torch_batched_backward(p):
    x = p.a.clone().requires_grad_()
    return p.torch.autograd.grad(p.f(x)[None], x, p.torch.ones(2, 1, dtype=p.f(x).dtype), is_grads_batched=True)[0][0]


def torch_dual(p):
    forward_ad = p.torch.autograd.forward_ad
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(p.f(forward_ad.make_dual(p.a, p.E))).tangent


def torch_vjp(p):
    out, back = p.torch.func.vjp(p.f, p.a)
    return back(p.torch.ones_like(out))[0]


def along(p, f):
    return lambda x: p.torch.func.jvp(f, (x,), (p.E,))[1]


def torch_hessian(p):
    H = p.torch.func.hessian(p.f)(p.a)
    return (H * p.E).sum(tuple(range(p.a.ndim, 2 * p.a.ndim)))


def torch_vmap(p, transform):
    if p.batched:
        return p.torch.func.vmap(transform)(p.a, p.E)
    return p.torch.func.vmap(transform)(p.a[None], p.E[None])[0]


def torch_compiled(p, f=None, **options):
    p.torch._dynamo.reset()
    return p.torch.compile(f or p.f, **{"backend": "aot_eager", "fullgraph": True, **options})


def torch_compiled_double_backward(p):
    f = torch_compiled(p)
    x = p.a.clone().requires_grad_()
    (g,) = p.torch.autograd.grad(f(x), x, create_graph=True)
    return p.torch.autograd.grad(inner(p.torch, g, p.E), x)[0]


def torch_export(p):
    class Gradient(p.torch.nn.Module):
        def forward(self, a):
            return p.torch.func.grad(p.f)(a)

    return p.torch.export.export(Gradient(), (p.a,)).module()(p.a)


TORCH = {
    "backward": ("gradient", torch_backward),
    "double backward": ("hvp", torch_double_backward),
    "batched backward": ("gradient", torch_batched_backward),
    "autograd.forward_ad": ("slope", torch_dual),
    "func.grad": ("gradient", lambda p: p.torch.func.grad(p.f)(p.a)),
    "func.vjp": ("gradient", torch_vjp),
    "func.jvp": ("slope", lambda p: along(p, p.f)(p.a)),
    "func.jacrev": ("gradient", lambda p: p.torch.func.jacrev(p.f)(p.a)),
    "func.jacfwd": ("gradient, forward", lambda p: p.torch.func.jacfwd(p.f)(p.a)),
    "func.hessian": ("hvp", torch_hessian),
    "func.grad of func.grad": (
        "hvp",
        lambda p: p.torch.func.grad(lambda x: inner(p.torch, p.torch.func.grad(p.f)(x), p.E))(p.a),
    ),
    "func.jvp of func.grad": ("hvp", lambda p: along(p, p.torch.func.grad(p.f))(p.a)),
    "func.grad of func.jvp": ("hvp", lambda p: p.torch.func.grad(along(p, p.f))(p.a)),
    "func.jvp of func.jvp": ("curvature", lambda p: along(p, along(p, p.f))(p.a)),
    "func.vmap of func.grad": ("gradient", lambda p: torch_vmap(p, lambda a, E: p.torch.func.grad(p.f)(a))),
    "func.vmap of func.jvp": (
        "slope",
        lambda p: torch_vmap(p, lambda a, E: p.torch.func.jvp(p.f, (a,), (E,))[1]).sum(),
    ),
    "compile, backward": ("gradient", lambda p: torch_backward(p, torch_compiled(p))),
    "compile, dynamic shapes": ("gradient", lambda p: torch_backward(p, torch_compiled(p, dynamic=True))),
    "compile by inductor": ("gradient", lambda p: torch_backward(p, torch_compiled(p, backend="inductor"))),
    "compile of func.grad": ("gradient", lambda p: torch_compiled(p, p.torch.func.grad(p.f))(p.a)),
    "compile of func.jvp": ("slope", lambda p: torch_compiled(p, along(p, p.f), fullgraph=False)(p.a)),
    "compile of func.jvp, fullgraph": ("slope", lambda p: torch_compiled(p, along(p, p.f))(p.a)),
    "compile of func.vmap": (
        "gradient",
        lambda p: torch_compiled(p, lambda a: torch_vmap(p, lambda a, E: p.torch.func.grad(p.f)(a)))(p.a),
    ),
    "compile, double backward": ("hvp", torch_compiled_double_backward),
    "export of func.grad": ("gradient", torch_export),
}

# -- TensorFlow -------------------------------------------------------------------------------------------------------


def reverse(p, f):
    def gradient(x):
        with p.tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.gradient(y, x)

    return gradient


def forward(p, f):
    def tangent(x):
        with p.tf.autodiff.ForwardAccumulator(x, p.E) as accumulator:
            y = f(x)
        return accumulator.jvp(y)

    return tangent


def tf_inner(p, f):
    return lambda x: p.tf.reduce_sum(p.tf.math.real(p.tf.math.conj(f(x)) * p.E))


def traced(p, f, **options):
    return p.tf.function(f, autograph=False, **options)


def unknown(p):
    """A signature that knows neither sizes nor the length of the batch."""
    return [p.tf.TensorSpec([None] * p.a.shape.rank, p.a.dtype)]


def tf_jacobian(p):
    with p.tf.GradientTape() as tape:
        tape.watch(p.a)
        y = p.tf.stack([p.f(p.a), 2.0 * p.f(p.a)])
    return tape.jacobian(y, p.a)[0]


def tf_jacobian_of_gradient(p):
    """Of its real and its imaginary part, for a Jacobian is of real functions."""
    k, parts = p.a.shape.rank, []
    for part in (p.tf.math.real, p.tf.math.imag)[: 1 + p.a.dtype.is_complex]:
        with p.tf.GradientTape() as tape:
            tape.watch(p.a)
            g = part(reverse(p, p.f)(p.a))
        J = tape.jacobian(g, p.a)
        parts.append(p.tf.reduce_sum(p.tf.math.real(p.tf.math.conj(J) * p.E), list(range(k, 2 * k))))
    return p.tf.complex(*parts) if p.a.dtype.is_complex else parts[0]


def tf_vectorized(p):
    one = p.a if p.batched else p.a[None]
    out = p.tf.vectorized_map(reverse(p, p.f), one)
    return out if p.batched else out[0]


TENSORFLOW = {
    "tape": ("gradient", lambda p: reverse(p, p.f)(p.a)),
    "tape over tape": ("hvp", lambda p: reverse(p, tf_inner(p, reverse(p, p.f)))(p.a)),
    "accumulator": ("slope", lambda p: forward(p, p.f)(p.a)),
    "accumulator over tape": ("hvp", lambda p: forward(p, reverse(p, p.f))(p.a)),
    "tape over accumulator": ("hvp", lambda p: reverse(p, forward(p, p.f))(p.a)),
    "accumulator over accumulator": ("curvature", lambda p: forward(p, forward(p, p.f))(p.a)),
    "tape.jacobian": ("gradient", tf_jacobian),
    "tape.jacobian over tape": ("hvp", tf_jacobian_of_gradient),
    "vectorized_map of tape": ("gradient", tf_vectorized),
    "function of tape": ("gradient", lambda p: traced(p, reverse(p, p.f))(p.a)),
    "function of tape, shapes unknown": (
        "gradient",
        lambda p: traced(p, reverse(p, p.f), input_signature=unknown(p))(p.a),
    ),
    "tape around function": ("gradient", lambda p: reverse(p, traced(p, p.f))(p.a)),
    "function of tape over tape": ("hvp", lambda p: traced(p, reverse(p, tf_inner(p, reverse(p, p.f))))(p.a)),
    "tape around function of tape": ("hvp", lambda p: reverse(p, tf_inner(p, traced(p, reverse(p, p.f))))(p.a)),
    "function of accumulator": ("slope", lambda p: traced(p, forward(p, p.f))(p.a)),
    "function of accumulator over accumulator": (
        "curvature",
        lambda p: traced(p, forward(p, forward(p, p.f)))(p.a),
    ),
    "accumulator around function": ("slope", lambda p: forward(p, traced(p, p.f))(p.a)),
    "jit_compile, tape": ("gradient", lambda p: traced(p, reverse(p, p.f), jit_compile=True)(p.a)),
    "jit_compile, shapes unknown": (
        "gradient",
        lambda p: traced(p, reverse(p, p.f), jit_compile=True, input_signature=unknown(p))(p.a),
    ),
    "jit_compile, tape over tape": (
        "hvp",
        lambda p: traced(p, reverse(p, tf_inner(p, reverse(p, p.f))), jit_compile=True)(p.a),
    ),
    "jit_compile, accumulator": ("slope", lambda p: traced(p, forward(p, p.f), jit_compile=True)(p.a)),
}

# -- JAX: gradients come conjugated, and are turned back ---------------------------------------------------------------


def jax_vjp(p):
    out, back = p.jax.vjp(p.f, p.a)
    return p.conj(back(p.jax.numpy.ones_like(out))[0])


def jax_along(p, f):
    return lambda x: p.jax.jvp(f, (x,), (p.E,))[1]


def jax_inner(p, g):
    """<g, E> of a conjugated gradient."""
    return lambda x: p.jax.numpy.sum(p.jax.numpy.real(g(x) * p.E))


def jax_hessian(p):
    H = p.jax.hessian(p.f)(p.a)
    return p.jax.numpy.tensordot(H, p.E, p.a.ndim)


def jax_vmap(p, f):
    return p.jax.vmap(f)(p.a, p.E) if p.batched else p.jax.vmap(f)(p.a[None], p.E[None])[0]


def jax_export(p):
    gradient = p.jax.jit(p.jax.grad(p.f))
    return p.conj(p.jax.export.deserialize(p.jax.export.export(gradient)(p.a).serialize()).call(p.a))


def jax_sharded(p):
    """As the input comes: laid out over a mesh of all devices, here along the rows or the batch."""
    mesh = p.jax.make_mesh((p.jax.device_count(),), ("x",), axis_types=(p.jax.sharding.AxisType.Auto,))
    spec = p.jax.sharding.PartitionSpec("x" if p.a.shape[0] % p.jax.device_count() == 0 else None)
    a = p.jax.device_put(p.a, p.jax.sharding.NamedSharding(mesh, spec))
    return p.conj(p.jax.jit(p.jax.grad(p.f))(a))


JAX = {
    "grad": ("gradient", lambda p: p.conj(p.jax.grad(p.f)(p.a))),
    "vjp": ("gradient", jax_vjp),
    "jvp": ("slope", lambda p: jax_along(p, p.f)(p.a)),
    "jacrev": ("gradient", lambda p: p.conj(p.jax.jacrev(p.f)(p.a))),
    "jacfwd": ("gradient, forward", lambda p: p.jax.jacfwd(p.f)(p.a)),
    "hessian": ("hvp", jax_hessian),
    "grad of grad": ("hvp", lambda p: p.conj(p.jax.grad(jax_inner(p, p.jax.grad(p.f)))(p.a))),
    "jvp of grad": ("hvp", lambda p: p.conj(jax_along(p, p.jax.grad(p.f))(p.a))),
    "grad of jvp": ("hvp", lambda p: p.conj(p.jax.grad(jax_along(p, p.f))(p.a))),
    "jvp of jvp": ("curvature", lambda p: jax_along(p, jax_along(p, p.f))(p.a)),
    "jit of grad": ("gradient", lambda p: p.conj(p.jax.jit(p.jax.grad(p.f))(p.a))),
    "jit of jvp": ("slope", lambda p: p.jax.jit(jax_along(p, p.f))(p.a)),
    "jit of grad of grad": (
        "hvp",
        lambda p: p.conj(p.jax.jit(p.jax.grad(jax_inner(p, p.jax.grad(p.f))))(p.a)),
    ),
    "jit of jvp of grad": ("hvp", lambda p: p.conj(p.jax.jit(jax_along(p, p.jax.grad(p.f)))(p.a))),
    "vmap of grad": ("gradient", lambda p: p.conj(jax_vmap(p, lambda a, E: p.jax.grad(p.f)(a)))),
    "vmap of jvp": ("slope", lambda p: p.jax.numpy.sum(jax_vmap(p, lambda a, E: p.jax.jvp(p.f, (a,), (E,))[1]))),
    "linearize": ("slope", lambda p: p.jax.linearize(p.f, p.a)[1](p.E)),
    "grad of checkpoint": ("gradient", lambda p: p.conj(p.jax.grad(p.jax.checkpoint(p.f))(p.a))),
    "export of grad": ("gradient", jax_export),
    "jit of grad, sharded": ("gradient", jax_sharded),
}

# -- autograd: gradients come conjugated too ---------------------------------------------------------------------------


def ag_along(p, f):
    return lambda x: p.autograd.make_jvp(f)(x)(p.E)[1]


def ag_inner(p, g):
    return lambda x: p.anp.sum(p.anp.real(g(x) * p.E))


AUTOGRAD = {
    "grad": ("gradient", lambda p: p.conj(p.autograd.grad(p.f)(p.a))),
    "jacobian": ("gradient", lambda p: p.conj(p.autograd.jacobian(p.f)(p.a))),
    "hessian": ("hvp", lambda p: np.tensordot(p.autograd.hessian(p.f)(p.a), p.E, p.a.ndim)),
    "make_jvp": ("slope", lambda p: ag_along(p, p.f)(p.a)),
    "grad of grad": ("hvp", lambda p: p.conj(p.autograd.grad(ag_inner(p, p.autograd.grad(p.f)))(p.a))),
    "make_jvp of grad": ("hvp", lambda p: p.conj(ag_along(p, p.autograd.grad(p.f))(p.a))),
    "grad of make_jvp": ("hvp", lambda p: p.conj(p.autograd.grad(ag_along(p, p.f))(p.a))),
    "make_jvp of make_jvp": ("curvature", lambda p: ag_along(p, ag_along(p, p.f))(p.a)),
}

# -- NumPy: the cotangents are given by hand ---------------------------------------------------------------------------


def np_vjp(p):
    out, back = p.eg.vjp(p.call, p.a, *p.extra, **p.options)
    return back(p.cotangents(out))


def np_jvp(p):
    out, tangent = p.eg.jvp(p.call, p.a, p.E, *p.extra, **p.options)
    return p.pair(p.cotangents(out), tangent)


def np_hvp(p):
    out, tangent = p.eg.jvp(p.call, p.a, p.E, *p.extra, **p.options)
    return p.eg.hvp(p.call, p.a, p.E, p.cotangents(out), *p.extra, dcotangent=p.dcotangents(out, tangent), **p.options)[
        1
    ]


NUMPY = {"vjp": ("gradient", np_vjp), "jvp": ("slope", np_jvp), "hvp": ("hvp", np_hvp)}

# ---------------------------------------------------------------------------------------------------------------------

TRANSFORMATIONS = {"numpy": NUMPY, "torch": TORCH, "tensorflow": TENSORFLOW, "jax": JAX, "autograd": AUTOGRAD}


def complex_ones(cell):
    return cell.complex_


def all_of_them(cell):
    return True


#: (framework, transformation): the cells that are impossible, and the limit of the framework, which is loud.
LIMITS = {
    ("torch", "func.jacrev"): (complex_ones, "torch.func.jacrev takes real inputs only"),
    ("torch", "func.jacfwd"): (complex_ones, "torch.func.jacfwd takes real inputs only"),
    ("torch", "func.hessian"): (complex_ones, "torch.func.hessian takes real inputs only"),
    ("torch", "compile, double backward"): (all_of_them, "torch.compile has no double backward"),
    ("torch", "compile of func.vmap"): (
        all_of_them,
        "torch.compile cannot trace vmap of an autograd.Function, whatever vmap rule it has",
    ),
    ("torch", "compile of func.jvp, fullgraph"): (
        all_of_them,
        "torch.compile would take torch's own derivative; a break in the graph prevents it",
    ),
    ("torch", "batched backward"): (
        lambda cell: cell.function in ("eigh", "eigvalsh"),
        "is_grads_batched has no rule for detach, by which checks are made",
    ),
    ("torch", "export of func.grad"): (
        all_of_them,
        "torch.export cannot trace func.grad of an autograd.Function; it exports the function, not the derivative",
    ),
    ("jax", "jacfwd"): (complex_ones, "jax.jacfwd takes real inputs only"),
    ("jax", "hessian"): (complex_ones, "jax.hessian takes real inputs only"),
    ("autograd", "hessian"): (complex_ones, "autograd.hessian counts the entries of a complex array twice"),
}

#: Where the framework puts its own derivative in the place of ours, so that the cluster's vectors are not refused.
UNGUARDED = {
    ("tensorflow", "accumulator around function"): "an accumulator transposes the gradient of a traced function",
}
