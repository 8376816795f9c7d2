from django.urls import path

from inventory.views import board, changes, items, moving, periods, postings, suggesting, valuation

app_name = "inventory"

urlpatterns = [
    path("", board.board, name="board"),
    path("items/<int:pk>/", items.item_page, name="item"),
    path("items/<path:code>/", items.item_by_code, name="item_by_code"),
    path("receive/", moving.receive, name="receive"),
    path("issue/", moving.issue, name="issue"),
    path("transfer/", moving.transfer, name="transfer"),
    path("adjust/", moving.adjust, name="adjust"),
    path("scrap/", moving.scrap, name="scrap"),
    path("status/", moving.change_stock_status, name="change_status"),
    path("cost/", moving.correct_item_cost, name="correct_cost"),
    path("ledger/", postings.ledger, name="ledger"),
    path("postings/<int:pk>/", postings.posting_page, name="posting"),
    path("postings/<int:pk>/undo/", postings.undo_posting, name="undo_posting"),
    path("valuation/", valuation.valuation, name="valuation"),
    path("valuation/totals/", valuation.valuation_totals, name="valuation_totals"),
    path("changes/", changes.changes, name="changes"),
    path("periods/", periods.periods, name="periods"),
    path("periods/close/", periods.close, name="close_period"),
    path("periods/<int:pk>/reopen/", periods.reopen, name="reopen_period"),
    path("suggest/items/", suggesting.suggest_items, name="suggest_items"),
    path("suggest/locations/", suggesting.suggest_locations, name="suggest_locations"),
]
