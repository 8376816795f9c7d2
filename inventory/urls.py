from django.urls import path

from inventory.views import board, items, lots, moving, postings, returning, shipping, suggesting, transit

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
    path("ship/", shipping.ship, name="ship"),
    path("take-back/", returning.take_back, name="take_back"),
    path("send-back/", returning.send_back, name="send_back"),
    path("lots/", lots.lots, name="lots"),
    path("transfers/", transit.transfers, name="transfers"),
    path("transfers/new/", transit.new_transfer, name="new_transfer"),
    path("transfers/<str:number>/", transit.transfer_page, name="transfer_page"),
    path("transfers/<str:number>/receive/", transit.receive, name="receive_transfer"),
    path("transfers/<str:number>/back/", transit.bring_back, name="bring_back"),
    path("ledger/", postings.ledger, name="ledger"),
    path("postings/<int:pk>/", postings.posting_page, name="posting"),
    path("postings/<int:pk>/undo/", postings.undo_posting, name="undo_posting"),
    path("suggest/items/", suggesting.suggest_items, name="suggest_items"),
    path("suggest/locations/", suggesting.suggest_locations, name="suggest_locations"),
]
