import os
from collections import Counter

import pytest
from harness import harness, names

#: What is compiled or traced anew for every case: JAX, and of torch and TensorFlow the transformations that say so.
COMPILED = (
    *("[jax-", "[jax:", "test_jax.py", "[torch: compile", "inductor"),
    *("[tensorflow: function", "around function", "accumulator over", "tape.jacobian", "jit_compile"),
)

#: Need a browser, and MPI: `make test-browser`, `make test-distributed`.
collect_ignore = ["browser", "distributed"]


@pytest.fixture(params=names())
def framework(request):
    """Each framework of the registry in turn."""
    return harness(request.param)


def pytest_collection_modifyitems(config, items):
    """every sixth case of what is compiled or traced, test by test, to end in time; `make test-all` asks all."""
    if os.environ.get("EIGENGRAD_ALL"):
        return
    seen, left = Counter(), []
    for item in items:
        kind = next((kind for kind in COMPILED if kind in item.nodeid), None)
        if kind is not None:
            test = (item.path, item.originalname, kind)
            seen[test] += 1
            if seen[test] % 6 != 1:
                left.append(item)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left)
