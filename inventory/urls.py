from django.urls import path

from inventory.views import board, items, lots, moving, postings, reporting, saved_views, suggesting

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
    path("suggest/items/", suggesting.suggest_items, name="suggest_items"),
    path("suggest/locations/", suggesting.suggest_locations, name="suggest_locations"),
    path("lots/", lots.lots, name="lots"),
    path("lots/<int:pk>/", lots.lot_page_of, name="lot"),
    path("recall/", lots.recall_page, name="recall"),
    path("reported/", reporting.report, name="external_stock"),
    path("views/save/", saved_views.save, name="save_view"),
    path("views/columns/", saved_views.columns, name="choose_columns"),
    path("views/<int:pk>/rename/", saved_views.rename, name="rename_view"),
    path("views/<int:pk>/share/", saved_views.share, name="share_view"),
    path("views/<int:pk>/delete/", saved_views.delete, name="delete_view"),
]
