"""Addresses of production's resources."""

from rest_framework.routers import BaseRouter

from inventory.api.resources import Resource
from production.api.bom_files import BomFileResource
from production.api.boms import BomResource
from production.api.buildable import BuildableResource
from production.api.completions import CompletionResource
from production.api.demands import DemandResource
from production.api.disassemblies import DisassemblyResource
from production.api.learning import LearnedResource
from production.api.quality import InspectionPlanResource, InspectionResource
from production.api.replenishment import ReplenishmentResource
from production.api.rework import ReworkResource
from production.api.work_orders import WorkOrderResource

RESOURCES: dict[str, type[Resource]] = {
    "completions": CompletionResource,
    "boms": BomResource,
    "bom-files": BomFileResource,
    "buildable": BuildableResource,
    "learned-usage": LearnedResource,
    "disassemblies": DisassemblyResource,
    "demands": DemandResource,
    "replenishment": ReplenishmentResource,
    "work-orders": WorkOrderResource,
    "rework-orders": ReworkResource,
    "inspections": InspectionResource,
    "inspection-plans": InspectionPlanResource,
}


def register(router: BaseRouter) -> None:
    """Add the resources to a router."""
    for address, resource in RESOURCES.items():
        router.register(address, resource, basename=address)
