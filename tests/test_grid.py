"""The grid, cell by cell; grid.py says what a cell is, transformations.py how each framework differentiates."""

from __future__ import annotations

from pathlib import Path

import grid
import numpy as np
import pytest
from harness import harness
from transformations import LIMITS, TRANSFORMATIONS, UNGUARDED

from eigengrad import frameworks
from eigengrad.errors import DegenerateError

CELLS = list(grid.cells())
# What compilers warn of themselves.
QUIET = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::RuntimeWarning"
)


def test_every_framework_of_the_registry_has_its_transformations():
    assert set(TRANSFORMATIONS) == set(frameworks.FRAMEWORKS)
    assert {key[0] for key in (*LIMITS, *UNGUARDED)} <= set(TRANSFORMATIONS)
    assert all(key[1] in TRANSFORMATIONS[key[0]] for key in (*LIMITS, *UNGUARDED))


@QUIET
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell_is_right_or_the_framework_says_that_it_cannot(cell):
    harness(cell.framework)
    if cell.limit:
        with pytest.raises(Exception, match=r"real|compl|reshape|used in the graph|registered|vmap|detach|break"):
            grid.error(cell)
    else:
        assert grid.error(cell) <= grid.allowed(cell)


@QUIET
@pytest.mark.parametrize("cell", [cell for cell in CELLS if grid.refusable(cell)], ids=str)
def test_what_has_no_derivative_is_refused(cell):
    """An error, or NaN for the matrices with the cluster and numbers for the other; never a number for them."""
    harness(cell.framework)
    found = grid.refused(cell)
    if isinstance(found, DegenerateError):
        assert found.cluster == (0, 2)
    elif cell[:2] in UNGUARDED:
        assert np.isfinite(found).all(), "no longer a limit: take it off the list"
    elif found.ndim:
        # A Jacobian asks direction by direction, and along some there is a derivative.
        every = np.any if "jac" in cell.transformation else np.all
        assert [bool(every(np.isnan(x))) for x in found] == [False, True, True]
        assert np.isfinite(found[0]).all()
    else:
        assert np.isnan(found)


@QUIET
@pytest.mark.parametrize("cell", [c for c in CELLS if grid.refusable(c) and c.function == "eigh"], ids=str)
def test_the_projector_of_a_cluster(cell):
    """With degenerate="projector", in every mode and order."""
    harness(cell.framework)
    assert grid.error(cell, projector=True) <= 1e-12 * grid.CONDITION


def test_the_page_lists_the_transformations():
    """Written by `make grid`; numbers may drift, rows may not."""
    text = (Path(__file__).parent.parent / "docs" / "grid.md").read_text(encoding="utf-8")
    parts = text.split("\n## ")[1:]
    assert [part.splitlines()[0] for part in parts] == [f.title for f in frameworks.FRAMEWORKS.values()]
    for part, transformations in zip(parts, TRANSFORMATIONS.values(), strict=True):
        rows = [line.split(" | ")[0].lstrip("| ") for line in part.splitlines() if line.startswith("| ")][1:]
        assert rows == list(transformations)
