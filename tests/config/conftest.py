from tests.inventory.views.conftest import as_operator, as_planner, as_viewer  # noqa: F401
