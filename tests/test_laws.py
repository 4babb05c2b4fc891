"""The laws, over random spectra with repeats."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS, Case, by_the_rules

SPECTRA = st.lists(st.integers(-6, 6), min_size=1, max_size=8).map(lambda w: np.sort(np.array(w) / 2.0))
CASES = st.builds(Case, SPECTRA, st.booleans(), st.integers(0, 2**31))


@pytest.mark.parametrize("name", LAWS)
def test_law(name):
    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(CASES)
    def law_holds(case):
        LAWS[name](case)

    with by_the_rules():  # test_small.py asks the other ways
        law_holds()
