"""Addresses of inspecting, below /quality/."""

from django.urls import path

from production.views import inspecting, inspection_plans, reworking

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
    path("rework/", reworking.reworks, name="reworks"),
    path("rework/new/", reworking.new_rework, name="new_rework"),
    path("rework/done/<int:pk>/undo/", reworking.undo_rework, name="undo_rework"),
    path("rework/<str:number>/", reworking.rework_order, name="rework"),
    path("rework/<str:number>/record/", reworking.record_rework, name="record_rework"),
    path("rework/<str:number>/close/", reworking.close_order, name="close_rework"),
    path("plans/", inspection_plans.plans, name="plans"),
    path("plans/new/", inspection_plans.new_plan, name="new_plan"),
    path("plans/<int:pk>/", inspection_plans.plan, name="plan"),
    path("plans/<int:pk>/end/", inspection_plans.end_plan, name="end_plan"),
]
