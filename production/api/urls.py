"""Addresses of production's resources."""

from rest_framework.routers import BaseRouter

from inventory.api.resources import Resource
from production.api.boms import BomResource
from production.api.buildable import BuildableResource
from production.api.completions import CompletionResource
from production.api.learning import LearnedResource
from production.api.work_orders import WorkOrderResource

RESOURCES: dict[str, type[Resource]] = {
    "boms": BomResource,
    "buildable": BuildableResource,
    "learned-usage": LearnedResource,
    "completions": CompletionResource,
    "work-orders": WorkOrderResource,
}


def register(router: BaseRouter) -> None:
    """Add the resources to a router."""
    for address, resource in RESOURCES.items():
        router.register(address, resource, basename=address)
