"""A sample of fuzz_idx.py's damaged files; ``python tests/support/fuzz_idx.py`` reads 100,000 of them."""

import fuzz_idx
import pytest


def test_a_few_damaged_files_are_read_exactly_or_refused_with_little_memory_and_no_side_effect():
    assert fuzz_idx.run(200).total() >= 200


@pytest.mark.slow
def test_damaged_files_are_read_exactly_or_refused_with_little_memory_and_no_side_effect():
    outcomes = fuzz_idx.run(2000)
    for kind in ("plain", "gzip", "xz"):  # the sample is no sample if one of these never happens
        for outcome in ("read", "magic number", "type code", "sizes", "body", "end of file"):
            assert outcomes[f"{kind}: {outcome}"], f"{kind}: {outcome}"
    assert outcomes["gzip: gzip data"]
    assert outcomes["xz: xz data"]
    assert outcomes["plain: rank"]
