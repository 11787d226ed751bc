"""The gates of an SMFNet's graph: exchange between the sources, messages within each."""

from __future__ import annotations

import numpy as np

from polyfuse.drawing.canvas import Canvas, share_scale, signed
from polyfuse.drawing.panels import Panel, Row, sheet
from polyfuse.drawing.pictures import Pictures
from polyfuse.families.smfnet.explained.findings import GraphGates, SMFNetFindings

NODES = (1, 2, 3)


def exchange_sheet(pictures: Pictures, findings: SMFNetFindings) -> Canvas:
    """A row for each source and round, a column for each node."""
    scale = share_scale(np.stack([gates.exchange for gates in findings.graph.values()]))
    names = dict(zip("ab", pictures.names, strict=True))
    rows = []
    for source, gates in findings.graph.items():
        other = names["b" if source == "a" else "a"]
        for k, maps in enumerate(gates.exchange, start=1):
            panels = [
                Panel(f"node {node}: mean {gate.mean():.2f}", gate, scale)
                for node, gate in zip(NODES, maps, strict=True)
            ]
            rows.append(Row(f"{source}: {names[source]}, round {k}", f"what its nodes let in from {other}", panels))
    line = "Gates between 0, nothing is let in, and 1, everything; bright: much. All on one scale."
    return sheet("Exchange between the graphs of both sources", line, rows, 3.7)


def message_sheet(pictures: Pictures, findings: SMFNetFindings) -> Canvas:
    """A row for each source and iteration, two edges to each node."""
    scale = share_scale(np.stack([gates.edges for gates in findings.graph.values()]))
    names = dict(zip("ab", pictures.names, strict=True))
    rows = []
    for source, gates in findings.graph.items():
        for k, maps in enumerate(gates.edges):
            panels = [
                Panel(_edge_title(node, edge, per_neighbour=findings.per_neighbour), maps[node - 1, edge], scale)
                for node in NODES
                for edge in range(2)
            ]
            rows.append(Row(f"{source}: {names[source]}, iteration {k + 1}", _renewal(gates, k), panels))
    weighed = "one neighbour each" if findings.per_neighbour else "every other channel of both neighbours"
    line = (
        f"Two gates at each node weigh {weighed}, from 0 to 1, bright: much; all on one scale. A node is renewed by "
        "what comes in,\nand the renewed node, times gamma, is added to it; with gamma = 0 none of this has an effect."
    )
    return sheet("Messages within the graph of each source", line, rows, 2.5)


def _edge_title(node: int, edge: int, *, per_neighbour: bool) -> str:
    """Which messages the gate of edge 0 or 1 weighs."""
    if per_neighbour:
        return f"to node {node} from {[other for other in NODES if other != node][edge]}"
    return f"to node {node}, {('even', 'odd')[edge]} channels"


def _renewal(gates: GraphGates, iteration: int) -> str:
    """How much of each node one iteration renews, and with what weight that counts."""
    shares = ", ".join(f"{100 * share:.0f} %" for share in gates.renewed[iteration])
    return f"renewed of nodes 1, 2, 3: {shares}; gamma {signed(gates.gamma)}"
