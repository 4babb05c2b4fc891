"""Errors carry their numbers, across processes too."""

import pickle

import numpy as np
import pytest

import eigengrad
from eigengrad import errors


def caught():
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, np.eye(2), degenerate="raise")
    with pytest.raises(errors.DegenerateError) as info:
        pullback(np.array([1.0, 0.0]))
    return info.value


def test_an_error_survives_pickling():
    error = caught()
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.cluster == error.cluster == (0, 2)
    assert np.array_equal(again.eigenvalues, error.eigenvalues)
    assert (again.measured, again.allowed) == (error.measured, error.allowed)


def test_one_that_holds_a_function_survives_too():
    with pytest.raises(errors.OptionError) as info:
        eigengrad.funm(np.eye(2), [np.exp, lambda x: x])
    again = pickle.loads(pickle.dumps(info.value))
    assert str(again) == str(info.value)
    assert "lambda" in again.value


def test_a_message_says_what_was_measured_why_and_what_to_do():
    text = str(caught())
    assert "measured 1" in text
    assert "eigenvalues 0 to 1" in text
    assert "subdifferential" in text


def test_every_error_is_a_value_error():
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, errors.EigengradError), name
            assert issubclass(kind, ValueError), name
