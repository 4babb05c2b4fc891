"""Operations for TensorFlow's programs on the CPU: the compiled kernel for small real matrices, and LAPACK's solver.

They are made through TensorFlow's C interface for kernels (solvers/lanes/tensorflow.c), so that nothing of it is needed
at installation. No derivative is taken of them: they stand in rules. Other processes do not have them, so in a program
that is being saved TensorFlow's own operations serve, as they do for other processors, for XLA, and without a compiler.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_library
from tensorflow.python.ops.parallel_for import pfor
from tensorflow.python.saved_model import save_context

from ..solvers import small
from . import host

#: What TensorFlow lends, and LAPACK through SciPy, in the order of tensorflow.c.
LENT = (
    "TF_NewStatus", "TF_DeleteStatus", "TF_GetCode", "TF_SetStatus", "TF_OpKernelContext_Failure",
    "TF_OpKernelConstruction_Failure", "TF_OpKernelConstruction_GetAttrInt32", "TF_GetInput", "TF_AllocateOutput",
    "TF_DeleteTensor", "TF_TensorData", "TF_NumDims", "TF_Dim", "TF_TensorType", "TF_NewShapeHandle",
    "TF_DeleteShapeHandle", "TF_ShapeInferenceContextGetInput", "TF_ShapeInferenceContextSubshape",
    "TF_ShapeInferenceContextSetOutput",
)  # fmt: skip
SOLVERS = ("ssyevd", "dsyevd", "cheevd", "zheevd")
REAL, COMPLEX = (tf.float32, tf.float64), (tf.complex64, tf.complex128)
SMALL, PULL, LARGE = "EigengradSmallEigh", "EigengradSmallPull", "EigengradEigh"
#: Attributes, inputs, outputs.
SPECS = {
    SMALL: (["T: {float, double}", "option: int"], ["a: T"], ["w: T", "v: T"]),
    PULL: (["T: {float, double}", "option: int"], ["w: T", "v: T", "gw: T", "gv: T"], ["ga: T"]),
    LARGE: (["T: numbertype", "R: realnumbertype", "option: int"], ["a: T"], ["w: R", "v: T"]),
}
#: The largest order: LAPACK counts its room, 2 n² numbers, by 32 bits.
MOST = 30000


def serves(H: Any) -> bool:
    """Whether LAPACK's operation does."""
    n = H.shape[-1]
    return n is not None and n <= MOST and H.dtype in (*REAL, *COMPLEX) and _ours()


def serves_small(V: Any) -> bool:
    """Whether those of the kernel do."""
    n = V.shape[-1]
    return n is not None and small.fits(n, 1) and V.dtype in REAL and _ours()


def eigh(H: Any) -> tuple[Any, Any]:
    """w and V of Hermitian matrices; NaN for those that are not finite."""
    return tuple(_made(LARGE, a=H, R=H.dtype.real_dtype, option=0))  # type: ignore[return-value]


def small_eigh(H: Any, turned: int) -> tuple[Any, Any]:
    option = 4 * small.READINGS["lower"] + turned
    return tuple(_made(SMALL, a=H, option=option))  # type: ignore[return-value]


def small_pull(w: Any, V: Any, gw: Any, gV: Any, judged: bool) -> Any:
    return _made(PULL, w=w, v=V, gw=gw, gv=gV, option=4 * small.READINGS["symmetric"] + judged)


def _ours() -> bool:
    """Whether the program that is traced stays in this process, and on its CPU."""
    if tf.executing_eagerly() or host.compiled() or save_context.in_save_context() or not _registered():
        return False
    if any(device.device_type != "CPU" for device in tf.config.list_logical_devices()):
        return False
    small.tensorflow_threads(tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1)
    return True


def _made(name: str, **given: Any) -> Any:
    return op_def_library.apply_op(name, **given)


# -- once in a process ------------------------------------------------------------------------------------------------


@cache
def _registered() -> bool:
    """Whether the operations could be made."""
    try:
        library = _library()
        lent = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in LENT]
        create, delete, forward, backward, lapack, forward_shape, backward_shape = small.tensorflow((*lent, *_solvers()))
        _register(library, SMALL, REAL, (create, forward, delete), forward_shape)
        _register(library, PULL, REAL, (create, backward, delete), backward_shape)
        _register(library, LARGE, (*REAL, *COMPLEX), (create, lapack, delete), forward_shape)
    except (OSError, AttributeError, KeyError, ImportError):
        return False
    for name in SPECS:
        pfor.RegisterPFor(name)(_batched(name))
    return True


def _library() -> Any:
    """The library that has the C interface; an AttributeError later, if it does not."""
    found = sorted(Path(tf.__file__).parent.glob("libtensorflow_cc*"))
    return ctypes.CDLL(str(found[0]) if found else None)


def _solvers() -> list[int]:
    from scipy.linalg import cython_lapack

    python, found = ctypes.pythonapi, []
    python.PyCapsule_GetName.restype, python.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    for name in SOLVERS:
        capsule = cython_lapack.__pyx_capi__[name]
        signature = python.PyCapsule_GetName(capsule)
        if b"int *" not in signature:
            raise OSError(f"LAPACK with other integers: {signature}")
        found.append(python.PyCapsule_GetPointer(capsule, signature))
    return found


def _register(library: Any, name: str, types: Any, functions: tuple[int, int, int], shape: int) -> None:
    """An operation, and its kernel for each type."""
    called: Callable[..., Any] = lambda name, *x: getattr(library, name)(*x)  # noqa: E731
    for made in ("TF_NewStatus", "TF_NewOpDefinitionBuilder", "TF_NewKernelBuilder"):
        getattr(library, made).restype = ctypes.c_void_p
    status, own = ctypes.c_void_p(called("TF_NewStatus")), name.encode()
    builder = ctypes.c_void_p(called("TF_NewOpDefinitionBuilder", own))
    for kind, specs in zip(("Attr", "Input", "Output"), SPECS[name], strict=True):
        for spec in specs:
            called(f"TF_OpDefinitionBuilderAdd{kind}", builder, spec.encode())
    called("TF_OpDefinitionBuilderSetShapeInferenceFunction", builder, ctypes.c_void_p(shape))
    called("TF_RegisterOpDefinition", builder, status)
    for dtype in types:
        create, run, delete = map(ctypes.c_void_p, functions)
        kernel = ctypes.c_void_p(called("TF_NewKernelBuilder", own, b"CPU", create, run, delete))
        called("TF_KernelBuilder_TypeConstraint", kernel, b"T", dtype.as_datatype_enum, status)
        called("TF_RegisterKernelBuilder", own + dtype.name.encode(), kernel, status)
    failed = called("TF_GetCode", status)
    called("TF_DeleteStatus", status)
    if failed:
        raise OSError(f"TensorFlow registers no {name}")


def _batched(name: str) -> Callable[..., Any]:
    """How `tf.vectorized_map` runs it on all at once."""
    attributes, inputs, _ = ([spec.partition(":")[0] for spec in specs] for specs in SPECS[name])

    def convert(these: Any) -> Any:
        these.stack_inputs()
        given = {k: these.stacked_input(i) for i, k in enumerate(inputs)}
        given |= {k: these.get_attr(k) for k in attributes if k != "T"}
        found = _made(name, **given)
        return [pfor.wrap(x, True) for x in (found if isinstance(found, (list, tuple)) else [found])]

    return convert
