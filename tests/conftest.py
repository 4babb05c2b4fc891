import os
from collections import Counter

import pytest
from harness import harness, names

#: What is asked in part, like tests marked as slow: what is compiled or traced anew for every case, and TensorFlow,
#: whose operations take longest of all. The first that a name holds is its kind.
SLOW = (
    *("[torch: compile", "inductor"),
    *("[tensorflow: function", "around function", "accumulator over", "tape.jacobian", "jit_compile"),
    *("[tensorflow-", "[tensorflow:", "test_tensorflow", "[jax-", "[jax:", "test_jax.py"),
)

#: Need a browser, and MPI: `make test-browser`, `make test-distributed`.
collect_ignore = ["browser", "distributed"]


@pytest.fixture(params=names())
def framework(request):
    """Each framework of the registry in turn."""
    return harness(request.param)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: of its cases every seventh is asked, and by `make test-all` every one")


def pytest_collection_modifyitems(config, items):
    """Every seventh case of what takes its time, test by test, to end in time; `make test-all` asks all.

    Seven is a prime: of parameters inside of others (real and complex, three orders) none is always left out.
    """
    if os.environ.get("EIGENGRAD_ALL"):
        return
    seen, left = Counter(), []
    for item in items:
        slow = "slow" if item.get_closest_marker("slow") else None
        kind = next((kind for kind in SLOW if kind in item.nodeid), slow)
        if kind is not None:
            test = (item.path, item.originalname, kind)
            seen[test] += 1
            if seen[test] % 7 != 1:
                left.append(item)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left)
