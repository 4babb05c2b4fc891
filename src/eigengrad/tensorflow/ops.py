"""Operations for TensorFlow's programs on the CPU: the compiled kernel for small matrices, and LAPACK's solver.

They are made through TensorFlow's C interface for kernels (solvers/lanes/tensorflow.c), so that nothing of it is needed
at installation. No derivative is taken of them: they stand in rules.

A program holds each beside what it stands for, as two functions that implement the same: TensorFlow takes ours where it
makes the program ready for the CPU, and the other one for other processors and where XLA compiles what was traced
before. One that is saved is traced anew, without ours, for other processes do not have them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import tensorflow as tf
from tensorflow.python.framework import op_def_library, op_def_registry
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
TYPES = tf.float32, tf.float64, tf.complex64, tf.complex128
SMALL, PULL, LARGE = "EigengradSmallEigh", "EigengradSmallPull", "EigengradEigh"
#: Attributes, inputs, outputs.
_ATTRIBUTES = ["T: numbertype", "R: realnumbertype", "option: int"]
SPECS = {
    SMALL: (_ATTRIBUTES, ["a: T"], ["w: R", "v: T"]),
    PULL: (_ATTRIBUTES, ["w: R", "v: T", "gw: R", "gv: T"], ["ga: T"]),
    LARGE: (_ATTRIBUTES, ["a: T"], ["w: R", "v: T"]),
}
#: Orders between which LAPACK serves: from here on it takes less time than TensorFlow's solver, by more the larger; and
#: it counts its room, 2 n² numbers, by 32 bits.
LEAST, MOST = 100, 30000


def serves(H: Any) -> bool:
    """Whether LAPACK's operation does: not of a batch, which TensorFlow spreads over its threads."""
    n, batch = H.shape[-1], H.shape[:-2].num_elements()
    if n is None or not LEAST <= n <= MOST or H.dtype not in TYPES:
        return False
    return _open() and (batch == 1 or host.threads() == 1)


def serves_small(V: Any) -> bool:
    """Whether those of the kernel do."""
    n = V.shape[-1]
    return n is not None and small.fits(n, 1) and V.dtype in TYPES and _open()


def _open() -> bool:
    """Whether a program is traced that stays in this process, and that XLA does not compile."""
    if tf.executing_eagerly() or host.compiled() or save_context.in_save_context() or not registered():
        return False
    small.tensorflow_threads(host.threads())
    return True


def eigh(H: Any, rule: Callable[..., Any]) -> Any:
    """w and V of Hermitian matrices, NaN for those that are not finite; `rule` of them elsewhere."""
    return _either(LARGE, 0, rule, (), H)


def small_eigh(H: Any, turned: int, rule: Callable[..., Any], *given: Any) -> Any:
    """w and V by the kernel, or rule(*given, H)."""
    return _either(SMALL, 4 * small.READINGS["lower"] + turned, rule, given, H)


def small_pull(judged: bool, rule: Callable[..., Any], given: Any, *x: Any) -> Any:
    """The gradient from w, V, gw and gV by the kernel, or rule(*given, w, V, gw, gV)."""
    return _either(PULL, 4 * small.READINGS["symmetric"] + judged, rule, given, *x)


def _either(name: str, option: int, rule: Callable[..., Any], given: Any, *x: Any) -> Any:
    ours, theirs = _pair(name, option, rule, given, tuple((v.dtype, *v.shape) for v in x))
    ours.get_concrete_function(*x).add_to_graph()
    return theirs(*x)


@lru_cache(maxsize=1024)
def _pair(name: str, option: int, rule: Callable[..., Any], given: Any, kinds: Any) -> tuple[Any, Any]:
    """Two functions of one name in TensorFlow's eyes; of the same name all must have the same types and shapes."""
    interface = f"eigengrad_{uuid4().hex}"

    def function(f: Callable[..., Any], device: str) -> Any:
        attributes = {"api_implements": interface, "api_preferred_device": device}
        return tf.function(f, autograph=False, experimental_attributes=attributes)

    return function(partial(_run, name, option), "CPU"), function(partial(rule, *given), "GPU")


def _run(name: str, option: int, *x: Any) -> Any:
    inputs = (spec.partition(":")[0] for spec in SPECS[name][1])
    types = {} if name == PULL else {"R": x[0].dtype.real_dtype}  # others are those of inputs
    found = op_def_library.apply_op(name, **dict(zip(inputs, x, strict=True)), **types, option=option)
    return found if name == PULL else tuple(found)


# -- once in a process ------------------------------------------------------------------------------------------------


@cache
def registered() -> bool:
    """Whether the operations could be made."""
    try:
        library = _library()
        lent = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in LENT]
        create, delete, forward, backward, large, from_matrix, from_pairs = small.tensorflow((*lent, *_solvers()))
        _register(library, SMALL, (create, forward, delete), from_matrix)
        _register(library, PULL, (create, backward, delete), from_pairs)
        _register(library, LARGE, (create, large, delete), from_matrix)
    except (OSError, AttributeError, KeyError, ImportError):
        return False
    return True


def _library() -> Any:
    for path in Path(tf.__file__).parent.glob("libtensorflow_cc*"):
        return ctypes.CDLL(str(path))
    raise OSError("no library with TensorFlow's C interface")


def _solvers() -> list[int]:
    from scipy.linalg import cython_lapack

    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    capsules = [cython_lapack.__pyx_capi__[name] for name in SOLVERS]
    if not all(b"int *" in name_of(capsule) for capsule in capsules):
        raise OSError("LAPACK with other integers")
    return [pointer_of(capsule, name_of(capsule)) for capsule in capsules]


def _register(library: Any, name: str, functions: tuple[int, int, int], shape: int) -> None:
    """An operation, and its kernel for each type. To register one twice would end the process."""
    if op_def_registry.get(name) is not None:
        return
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
    failed = called("TF_GetCode", status)
    for dtype in TYPES:
        create, run, delete = map(ctypes.c_void_p, functions)
        kernel = ctypes.c_void_p(called("TF_NewKernelBuilder", own, b"CPU", create, run, delete))
        called("TF_KernelBuilder_TypeConstraint", kernel, b"T", dtype.as_datatype_enum, status)
        called("TF_RegisterKernelBuilder", own + dtype.name.encode(), kernel, status)
        failed = failed or called("TF_GetCode", status)
    called("TF_DeleteStatus", status)
    if failed:
        raise OSError(f"TensorFlow registers no {name}")
