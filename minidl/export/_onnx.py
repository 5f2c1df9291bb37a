"""A model as an ONNX file, which ONNX Runtime, browsers, phones and other languages run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..arrays import PIXEL, common_dtype
from ..errors import OptionError
from ..system.durable import write_durably
from ..system.extras import missing_extra
from ._onnx_layers import Graph, added

OPSET, IR = 17, 8  # of 2022: what most runtimes read


def onnx(model: nn.Module, path: str | Path, *, shape: Sequence[int] | None = None, pixels: bool = False) -> None:
    """Write `model`, as it computes in evaluation mode, to an ONNX file (extra ``onnx``).

    Its input is called "input", of shape ("batch", ...) for any batch, its output "output": for a classifier the
    logits, as the model gives them. Both have the parameters' dtype. ::

        session = onnxruntime.InferenceSession("model.onnx")
        logits, = session.run(None, {"input": x})

    Args:
        model: of minidl's own layers, and functions such as ``minidl.tanh`` in a `Sequential`; in any mode, it is not
            changed.
        path: of the file, which is replaced if it is there.
        shape: of one sample; by default (features,), as the first layer that counts them says.
        pixels: True for an input of uint8, which the file's first step scales to [0, 1], as training does.

    Raises:
        MissingExtraError: without the package onnx.
        UnsupportedError: for a layer or a function of your own, or one of minidl's that is overridden; it says which.
        OptionError: for what is no model; if no layer says how many features a sample has, and `shape` is not given.
        WriteError: the disk refuses; a file that was at `path` is still there.
    """
    try:
        from onnx import checker
    except ImportError as error:
        raise missing_extra("export.onnx needs the package onnx", "onnx", "onnx", error) from error
    if not isinstance(model, nn.Module):
        raise OptionError(f"export.onnx: expected a model, then a path: onnx(model, path), got {type(model).__name__}")
    graph = Graph(common_dtype([*model.parameters(), np.float32(0)]))
    dtype: Any = graph.dtype
    x = "input"
    if pixels:
        dtype = np.uint8
        x = graph.add("Cast", x, to=_number_of(graph.dtype))
        x = graph.add("Mul", x, graph.constant("pixel", PIXEL))
    added(graph, model, "", x)
    file = _file(graph, dtype, shape or (_features(model),))
    checker.check_model(file, full_check=True)
    write_durably(path, file.SerializeToString())


def _features(model: nn.Module) -> int:
    """The numbers in a sample, as the first layer that counts them says. Raises `OptionError` if none does."""
    for _, module in model.named_modules():
        for name in ("in_features", "num_features"):
            if isinstance(count := getattr(module, name, None), int):
                return count
    raise OptionError("export.onnx: no layer tells how many features a sample has: give its shape=, such as (784,)")


def _file(graph: Graph, dtype: Any, shape: Sequence[int]) -> Any:
    """`graph` as ONNX's ModelProto, with samples of `dtype` and `shape` for its input."""
    from onnx import helper, numpy_helper, shape_inference

    given = graph.nodes or [("Identity", ("input",), "", {})]
    nodes = [helper.make_node(kind, inputs, [output], **options) for kind, inputs, output, options in given]
    nodes[-1].output[0] = "output"  # nothing reads what the last node computes
    x = helper.make_tensor_value_info("input", _number_of(dtype), ["batch", *shape])
    y = helper.make_tensor_value_info("output", _number_of(graph.dtype), None)
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR, "producer_name": "minidl"}
    model = helper.make_model(helper.make_graph(nodes, "minidl", [x], [y], constants), **versions)
    return shape_inference.infer_shapes(model, strict_mode=True)


def _number_of(dtype: Any) -> int:
    """ONNX's number for a dtype."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
