"""Addresses of the pages about making, below /make/."""

from django.urls import path

from production.views import (
    batch,
    completions,
    disassembling,
    orders_board,
    orders_demands,
    orders_page,
    orders_picking,
    orders_shortages,
    orders_states,
    orders_traveller,
    recording,
    undoing,
    work_orders,
)

app_name = "production"

urlpatterns = [
    path("complete/", recording.record_completion, name="record_completion"),
    path("complete/many/", batch.complete_many, name="complete_many"),
    path("complete/suggest/", recording.suggest, name="suggest"),
    path("complete/suggest-items/", recording.suggest_items, name="suggest_items"),
    path("completions/", completions.completions, name="completions"),
    path("completions/<int:pk>/", completions.completion, name="completion"),
    path("completions/<int:pk>/undo/", undoing.undo_completion, name="undo_completion"),
    path("disassemble/", disassembling.disassemble_goods, name="disassemble"),
    path("disassemblies/", disassembling.disassemblies, name="disassemblies"),
    path("disassemblies/<int:pk>/", disassembling.disassembly, name="disassembly"),
    path("disassemblies/<int:pk>/undo/", disassembling.undo_disassembly, name="undo_disassembly"),
    path("orders/", orders_board.work_orders, name="work_orders"),
    path("orders/new/", work_orders.new_work_order, name="new_work_order"),
    path("orders/calendar/", orders_board.calendar, name="order_calendar"),
    path("orders/shortages/", orders_shortages.order_shortages, name="order_shortages"),
    path("orders/demands/", orders_demands.demands, name="demands"),
    path("orders/demands/<int:pk>/withdraw/", orders_demands.withdraw, name="withdraw_demand"),
    path("orders/<str:number>/", orders_page.work_order, name="work_order"),
    path("orders/<str:number>/complete/", work_orders.complete_order, name="complete_order"),
    path("orders/<str:number>/close/", work_orders.close_order, name="close_order"),
    path("orders/<str:number>/reopen/", work_orders.reopen_order, name="reopen_order"),
    path("orders/<str:number>/plan/", work_orders.change_plan, name="change_plan"),
    path("orders/<str:number>/release/", orders_states.release_order, name="release_order"),
    path("orders/<str:number>/reserve/", orders_states.reserve_order, name="reserve_order"),
    path("orders/<str:number>/cancel/", orders_states.cancel_order, name="cancel_order"),
    path("orders/<str:number>/dates/", orders_states.reschedule_order, name="reschedule_order"),
    path("orders/<str:number>/split/", orders_states.split_order, name="split_order"),
    path("orders/<str:number>/merge/", orders_states.merge_orders, name="merge_orders"),
    path("orders/<str:number>/bom/", orders_states.newest_bom, name="newest_bom"),
    path("orders/<str:number>/sub-orders/", orders_states.plan_sub_orders, name="plan_sub_orders"),
    path("orders/<str:number>/pick/", orders_picking.pick_order, name="pick_order"),
    path("orders/<str:number>/return/", orders_picking.return_to_stock, name="return_to_stock"),
    path("orders/<str:number>/traveller/", orders_traveller.traveller, name="traveller"),
]
