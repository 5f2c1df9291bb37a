"""What a user relies on where an argument has to be an integer."""

import numpy as np
import pytest

from minidl.checks import checked_integer
from minidl.errors import OptionError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_every_kind_of_integer_becomes_pythons(value):
    number = checked_integer(value, "fit: epochs", 1)
    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, [3], np.array([3, 4]), np.float32(3), 0, -1])
def test_what_is_no_integer_or_too_small_is_refused_by_name_with_what_is_allowed(value):
    with pytest.raises(OptionError) as caught:
        checked_integer(value, "fit: epochs", 1)
    assert str(caught.value) == f"fit: epochs must be an integer of at least 1, got {value!r}"


def test_an_upper_bound_and_a_note_are_told():
    assert checked_integer(10, "n", 1, 10) == 10
    with pytest.raises(OptionError, match=r'^n must be an integer from 1 to 10, or "full", got 11$'):
        checked_integer(11, "n", 1, 10, ', or "full"')
