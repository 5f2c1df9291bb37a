"""Every CUDA source that minidl can come up with compiles, by the compiler that CuPy would use; no GPU is needed."""

import contextlib

import pytest
from rule_cases import VARIANTS

from minidl import optim
from minidl.kernels import cupy_masks, cupy_narrow, cupy_sources
from minidl.kernels.cupy_launch import OPTIONS
from minidl.optim.execution.cuda import source
from minidl.optim.execution.plan import Plan
from minidl.optim.symbols import equation

pytestmark = pytest.mark.nvrtc
nvrtc = pytest.importorskip(
    "cupy_backends.cuda.libs.nvrtc", reason="needs CuPy and NVRTC: pip install 'minidl[cuda13]'"
)

SCHEDULED = optim.rules.Adam(
    beta1=optim.schedules.linear(0.8, 0.9, 10), eps=1e-4, weight_decay=optim.schedules.constant(0.1)
)
RULES = {
    f"{rule} {dtype}": source(Plan(equation(rule)), 2 + len(rule.state), dtype)
    for rule in [*VARIANTS, SCHEDULED]
    for dtype in ("float32", "float64")
}
NARROW = {
    f"narrow {dtype} {activation} {outputs}": cupy_narrow.source(dtype, activation, outputs)
    for dtype in ("float32", "float64")
    for activation, outputs in ((None, 1), ("sigmoid", 10), (None, cupy_narrow.MOST))
} | {f"masks {dtype}": cupy_masks.source(dtype) for dtype in ("float32", "float64")}
CUPYS_OWN = ("--std=c++17", "-ftz=true")  # what CuPy appends to every call of its compiler


def machine_code(text, architecture):
    """The machine code of CUDA source; an error or a warning of the compiler's fails the test."""
    program = nvrtc.createProgram(text, "kernels.cu", (), ())
    try:
        with contextlib.suppress(nvrtc.NVRTCError):
            nvrtc.compileProgram(program, (*OPTIONS, *CUPYS_OWN, f"--gpu-architecture={architecture}"))
        messages = nvrtc.getProgramLog(program)
        assert not messages.strip("\0\n"), messages
        return nvrtc.getCUBIN(program)
    finally:
        nvrtc.destroyProgram(program)


def together(sources):
    """Many sources as one, which is compiled several times as fast: each in a namespace that is named in messages."""
    spaces = [f"namespace n{i} {{ // {name}\n{text}}}\n" for i, (name, text) in enumerate(sources.items())]
    return "".join(spaces).replace('extern "C"', "")


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90", "sm_100"])  # Turing, Ampere, Hopper, Blackwell
@pytest.mark.parametrize("sources", [cupy_sources.every() | NARROW, RULES], ids=["kernels", "rules"])
def test_every_source_compiles(sources, architecture):
    code = machine_code(together(sources), architecture)
    assert code.startswith(b"\x7fELF")
    for i in range(len(sources)):
        assert f"n{i}".encode() in code


def test_a_kernel_is_found_by_its_name():
    code = machine_code(cupy_sources.batch_norm("float32"), "sm_80")
    for kernel in ("batch_norm_forward", "batch_norm_backward"):
        assert f"\0{kernel}\0".encode() in code


def test_what_does_not_compile_is_noticed():
    with pytest.raises(AssertionError, match=r'identifier "y" is undefined'):
        machine_code('extern "C" __global__ void f(float* x) { x[0] = y; }', "sm_80")
    with pytest.raises(AssertionError, match="warning"):
        machine_code('extern "C" __global__ void f(float* x) { int unused; }', "sm_80")
