"""The layout of a DAG's graph: task boxes in columns, first tasks on the left.

`laid_out` takes a stored DagSpec wire object and returns positions; it draws nothing. The same spec gives the same
layout in every process.

    dependencies   spec -> tasks, edges, and which edges are implied by others
    part           a connected part of the graph, laid out as one; in plain columns if it is too large for fast_sugiyama
    routed         the layout of a part by fast_sugiyama, with lines routed around boxes
    layout         the layout of all parts on shelves
    picture        the result types
    limits         the same with limits and a cache, for pages and the API
"""

from kiok.metadata.graph.layout import laid_out
from kiok.metadata.graph.limits import GraphTooLarge, bounded
from kiok.metadata.graph.picture import DrawnEdge, DrawnGraph, DrawnNode

__all__ = ["DrawnEdge", "DrawnGraph", "DrawnNode", "GraphTooLarge", "bounded", "laid_out"]
