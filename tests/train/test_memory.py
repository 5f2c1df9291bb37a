"""When memory runs out: one error that names the op, its shapes and the batch, and everything goes on after it."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, ops
from minidl.backend import out_of_memory
from minidl.errors import DeviceMemoryError

HUGE = np.broadcast_to(np.float32(1), (1 << 25, 1 << 25))  # 4 bytes that look like 4 million gigabytes


def test_an_op_that_runs_out_of_memory_says_which_and_on_what():
    with pytest.raises(
        DeviceMemoryError, match=r"exp: the CPU has no memory.*float32\[33554432, 33554432\], a batch of 33554432"
    ):
        minidl.exp(Tensor(HUGE, requires_grad=True))
    with pytest.raises(MemoryError):
        minidl.exp(Tensor(HUGE))


@pytest.mark.slow
def test_so_does_the_way_back_and_training_goes_on():
    narrow = Tensor(np.ones((1 << 25, 1), np.float32), requires_grad=True)
    wide = Tensor(np.ones((1, 2), np.float64), requires_grad=True)
    loss = ops.sum(narrow * wide)
    monster = ops.broadcast_to(narrow, HUGE.shape)
    with pytest.raises(DeviceMemoryError, match=r"gradient of .*no memory.*use a smaller batch_size"):
        minidl.gradients((monster[:, 0] * 1).sum(), [narrow])
    loss.backward()
    assert wide.grad.tolist() == [[1 << 25, 1 << 25]]


def test_the_gpu_is_named_where_it_is_the_gpu():
    from strict import StrictArray

    error = out_of_memory("dense", [StrictArray(np.ones((64, 3), np.float32)), None, "relu"], MemoryError("of 4 GB"))
    assert str(error).startswith("dense: the GPU has no memory left for it (given float32[64, 3], a batch of 64): use")
    assert isinstance(error, MemoryError)
    assert isinstance(error, minidl.errors.MinidlError)
