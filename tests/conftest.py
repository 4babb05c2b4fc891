import pytest
from harness import harness, names

#: Need a browser, and MPI: `make test-browser`, `make test-distributed`.
collect_ignore = ["browser", "distributed"]


@pytest.fixture(params=names())
def framework(request):
    """Each framework of the registry in turn."""
    return harness(request.param)
