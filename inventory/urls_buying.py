"""Addresses of buying, below /buy/."""

from django.urls import path

from inventory.views import buying, late_costs, receiving_orders

app_name = "buying"

urlpatterns = [
    path("orders/", buying.orders, name="orders"),
    path("orders/new/", buying.new_order, name="new_order"),
    path("orders/<str:number>/", buying.order_page, name="order"),
    path("orders/<str:number>/edit/", buying.edit_order, name="edit_order"),
    path("orders/<str:number>/receive/", receiving_orders.receive, name="receive_order"),
    path("orders/<str:number>/place/", buying.place, name="place_order"),
    path("orders/<str:number>/close/", buying.close, name="close_order"),
    path("orders/<str:number>/cancel/", buying.cancel, name="cancel_order"),
    path("orders/<str:number>/reopen/", buying.reopen, name="reopen_order"),
    path("orders/<str:number>/lines/<int:line>/close/", buying.close_line, name="close_line"),
    path("late-costs/", late_costs.landed_costs, name="landed_costs"),
    path("late-costs/new/", late_costs.new_landed_cost, name="new_landed_cost"),
    path("prices/<int:pk>/", late_costs.correct_receipt_prices, name="prices"),
    path("unknown-costs/", late_costs.unknown, name="unknown_costs"),
]
