"""Addresses of inspecting, below /quality/."""

from django.urls import path

from production.views import inspecting, inspection_plans

app_name = "quality"

urlpatterns = [
    path("", inspecting.queue, name="queue"),
    path("release-not-due/", inspecting.release_skipped, name="release_skipped"),
    path("waiting/<int:handle>/", inspecting.inspect, name="inspect"),
    path("inspections/", inspecting.decided, name="decided"),
    path("inspections/<int:pk>/", inspecting.inspection, name="inspection"),
    path("verdicts/<int:pk>/undo/", inspecting.undo, name="undo"),
    path("decisions/<int:pk>/back/", inspecting.back_from_rework, name="back_from_rework"),
    path("files/<int:pk>/", inspecting.file, name="file"),
    path("plans/", inspection_plans.plans, name="plans"),
    path("plans/new/", inspection_plans.new_plan, name="new_plan"),
    path("plans/<int:pk>/", inspection_plans.plan, name="plan"),
    path("plans/<int:pk>/end/", inspection_plans.end_plan, name="end_plan"),
]
