"""Addresses of the pages about making, below /make/."""

from django.urls import path

from production.views import buildable, completions, learning, recording, true_costs, work_orders

app_name = "production"

urlpatterns = [
    path("complete/", recording.record_completion, name="record_completion"),
    path("complete/suggest/", recording.suggest, name="suggest"),
    path("complete/suggest-items/", recording.suggest_items, name="suggest_items"),
    path("completions/", completions.completions, name="completions"),
    path("completions/<int:pk>/", completions.completion, name="completion"),
    path("completions/<int:pk>/undo/", completions.undo_completion, name="undo_completion"),
    path("buildable/", buildable.buildable_list, name="buildable"),
    path("buildable/groups/", buildable.contention, name="contention"),
    path("buildable/<int:pk>/", buildable.buildable_item, name="buildable_item"),
    path("learning/", learning.learning, name="learning"),
    path("learning/<int:bom>/<int:component>/", learning.learned_line, name="learned_line"),
    path("learning/<int:bom>/<int:component>/draft/", learning.accept, name="accept_proposal"),
    path("learning/<int:bom>/<int:component>/dismiss/", learning.dismiss, name="dismiss_proposal"),
    path("costs/", true_costs.unit_costs, name="unit_costs"),
    path("orders/", work_orders.work_orders, name="work_orders"),
    path("orders/new/", work_orders.new_work_order, name="new_work_order"),
    path("orders/<str:number>/", work_orders.work_order, name="work_order"),
    path("orders/<str:number>/complete/", work_orders.complete_order, name="complete_order"),
    path("orders/<str:number>/close/", work_orders.close_order, name="close_order"),
    path("orders/<str:number>/reopen/", work_orders.reopen_order, name="reopen_order"),
    path("orders/<str:number>/plan/", work_orders.change_plan, name="change_plan"),
]
