"""Addresses of the pages about making, below /make/."""

from django.urls import path

from production.views import bom_changes, bom_editing, bom_files, boms, completions, recording, work_orders

app_name = "production"

urlpatterns = [
    path("complete/", recording.record_completion, name="record_completion"),
    path("complete/suggest/", recording.suggest, name="suggest"),
    path("complete/suggest-items/", recording.suggest_items, name="suggest_items"),
    path("completions/", completions.completions, name="completions"),
    path("completions/<int:pk>/", completions.completion, name="completion"),
    path("completions/<int:pk>/undo/", completions.undo_completion, name="undo_completion"),
    path("orders/", work_orders.work_orders, name="work_orders"),
    path("orders/new/", work_orders.new_work_order, name="new_work_order"),
    path("orders/<str:number>/", work_orders.work_order, name="work_order"),
    path("orders/<str:number>/complete/", work_orders.complete_order, name="complete_order"),
    path("orders/<str:number>/close/", work_orders.close_order, name="close_order"),
    path("orders/<str:number>/reopen/", work_orders.reopen_order, name="reopen_order"),
    path("orders/<str:number>/plan/", work_orders.change_plan, name="change_plan"),
    path("boms/", boms.boms, name="boms"),
    path("boms/new/", boms.new_bom, name="new_bom"),
    path("boms/suggest/", boms.suggest_components, name="suggest_components"),
    path("boms/where-used/", bom_changes.where_used_page, name="where_used"),
    path("boms/replacements/<int:pk>/", bom_changes.replacement, name="replacement"),
    path("boms/replacements/<int:pk>/activate/", bom_changes.activate_all, name="activate_replacement"),
    path("boms/replacements/<int:pk>/discard/", bom_changes.discard_all, name="discard_replacement"),
    path("boms/<int:pk>/", boms.bom, name="bom"),
    path("boms/<int:pk>/edit/", bom_editing.edit_bom, name="edit_bom"),
    path("boms/<int:pk>/cost/", boms.bom_cost, name="bom_cost"),
    path("boms/<int:pk>/diff/", bom_changes.bom_difference, name="bom_diff"),
    path("boms/<int:pk>/draft/", boms.draft_bom, name="draft_bom"),
    path("boms/<int:pk>/activate/", boms.activate, name="activate_bom"),
    path("boms/<int:pk>/discard/", boms.discard, name="discard_bom"),
    path("boms/<int:pk>/retire/", boms.retire, name="retire_bom"),
    path("boms/<int:pk>/files/", bom_files.add_attachment, name="add_bom_attachment"),
    path("boms/<int:pk>/files/<int:attachment_pk>/", bom_files.attachment, name="bom_attachment"),
    path("boms/<int:pk>/files/<int:attachment_pk>/remove/", bom_files.remove_attachment, name="remove_bom_attachment"),
]
