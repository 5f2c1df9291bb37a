"""Models for other programs: ONNX files, and PyTorch's state dicts, both ways."""

from ._onnx import onnx
from ._torch import load_torch, torch

__all__ = ["load_torch", "onnx", "torch"]
