import pytest
from harness import harness, names


@pytest.fixture(params=names())
def framework(request):
    """Each framework of the registry in turn."""
    return harness(request.param)
