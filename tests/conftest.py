import pytest
from harness import harness, names

#: Needs a browser: `make test-browser`.
collect_ignore = ["browser"]


@pytest.fixture(params=names())
def framework(request):
    """Each framework of the registry in turn."""
    return harness(request.param)
