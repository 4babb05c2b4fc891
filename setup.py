"""The one part that is compiled, and need not be; everything else is in pyproject.toml.

EIGENGRAD_COMPILE=1 makes a failed build an error, for wheels that are published; 0 leaves it out. Unset, it is built
where there is a compiler, and LAPACK serves where there is none.
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup

wanted = os.environ.get("EIGENGRAD_COMPILE", "")
if sys.platform == "win32":
    flags = ["/O2", "/std:c11", "/openmp:experimental"]
else:
    # Standard C forbids to fuse a product and a sum, which is a fifth of the time.
    flags = ["-std=c11", "-O3", "-g0", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
folder = "src/eigengrad/solvers/lanes"
lanes = Extension(
    "eigengrad.solvers._lanes",
    [f"{folder}/module.c", f"{folder}/lanes.c", f"{folder}/xla.c", f"{folder}/tensorflow.c", f"{folder}/lapack.c"],
    depends=glob(f"{folder}/*.h"),
    extra_compile_args=flags,
    py_limited_api=True,
    optional=wanted != "1",
)
compiled = wanted != "0"
setup(
    ext_modules=[lanes] if compiled else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if compiled else {},
)
