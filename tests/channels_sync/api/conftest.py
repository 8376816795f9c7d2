from tests.api.conftest import as_administrator, as_nobody, as_operator, as_planner, as_viewer  # noqa: F401
