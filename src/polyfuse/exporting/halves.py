"""Half precision where it is safe: operands of convolutions and of products with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

CONVOLUTIONS, PRODUCTS = ("Conv", "ConvTranspose"), ("MatMul", "Gemm")


def halved(model: Any) -> Any:
    """An ONNX model whose convolutions and products with weights take halves and give float32.

    Everything else, the pyramids, norms, logarithms and sums over a picture, stays float32. Weights are stored as
    halves, so that the file is about half as large.

    Args:
        model: `onnx.ModelProto` in float32; it is left as it is.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    in_half: set[str] = set()
    nodes = []
    for number, node in enumerate(graph.node):
        takes = node.op_type in CONVOLUTIONS or (
            node.op_type in PRODUCTS and any(name in weights for name in node.input)
        )
        if not takes:
            nodes.append(node)
            continue
        for index, name in enumerate(node.input):
            if name in weights:
                node.input[index] = _half_name(name)
                in_half.add(name)
            elif name:
                cast = f"{node.output[0]}.half{index}"
                nodes.append(helper.make_node("Cast", [name], [cast], f"half.{number}.{index}", to=TensorProto.FLOAT16))
                node.input[index] = cast
        result = node.output[0]
        node.output[0] = f"{result}.half"
        nodes.append(node)
        nodes.append(helper.make_node("Cast", [node.output[0]], [result], f"single.{number}", to=TensorProto.FLOAT))
    for name in sorted(in_half):
        values = numpy_helper.to_array(weights[name]).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(values, _half_name(name)))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return made


def _half_name(name: str) -> str:
    """Name of the weights `name` in half precision."""
    return f"{name}.half"
