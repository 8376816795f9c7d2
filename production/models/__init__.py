from production.models.boms import Bom, BomLine, BomState, DeviationPolicy, IssueMethod
from production.models.completions import Completion, CompletionLine, CompletionReversal, CompletionReversalLine
from production.models.work_orders import WorkOrder, WorkOrderLine, WorkOrderState

__all__ = [
    "Bom",
    "BomLine",
    "BomState",
    "Completion",
    "CompletionLine",
    "CompletionReversal",
    "CompletionReversalLine",
    "DeviationPolicy",
    "IssueMethod",
    "WorkOrder",
    "WorkOrderLine",
    "WorkOrderState",
]
