"""A DAG's tasks as a picture: boxes in columns, from what comes first at the left to what comes last at the right.

`laid_out` takes a DagSpec's wire object as it is stored and gives places; it draws nothing. The same spec gives the
same picture in every process.

    dependencies   spec -> tasks, edges, and which edges others imply
    part           what edges connect, placed as one
    routed         one connected part, placed by fast_sugiyama, its lines led around boxes
    columns        one connected part, placed in plain columns: for what is too large for the above
    layout         the parts side by side
    picture        what comes out
    limits         the same within limits, remembered: for pages and the API
"""

from kiok.metadata.graph.layout import laid_out
from kiok.metadata.graph.limits import GraphTooLarge, bounded
from kiok.metadata.graph.picture import DrawnEdge, DrawnGraph, DrawnNode

__all__ = ["DrawnEdge", "DrawnGraph", "DrawnNode", "GraphTooLarge", "bounded", "laid_out"]
