from django.urls import path

from inventory.views import board, counting, counts, items, moving, postings, suggesting

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
    path("counts/", counts.counts, name="counts"),
    path("counts/plan/", counts.plan, name="count_plan"),
    path("counts/open/", counts.open_sheet, name="open_count_sheet"),
    path("counts/accuracy/", counts.accuracy, name="count_accuracy"),
    path("counts/lines/<int:pk>/", counting.count_line, name="count_line"),
    path("counts/lines/<int:pk>/scan/", counting.scan, name="scan_count_line"),
    path("counts/lines/<int:pk>/explain/", counts.explain, name="explain_count_line"),
    path("counts/<str:number>/", counts.sheet_page, name="count_sheet"),
    path("counts/<str:number>/count/", counting.count_next, name="count_next"),
    path("counts/<str:number>/found/", counting.found, name="count_found"),
    path("counts/<str:number>/submit/", counts.submit, name="submit_count_sheet"),
    path("counts/<str:number>/approve/", counts.approve, name="approve_count"),
    path("counts/<str:number>/cancel/", counts.cancel, name="cancel_count_sheet"),
]
