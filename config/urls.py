from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import autodiscover_modules

from config import schedules, views
from config.audit.views import audit
from config.diagnostics import item_file
from config.diagnostics_of_orders import purchase_order_file, work_order_file
from config.diagnostics_of_pushes import listing_file, run_file
from config.integrity import views as integrity

autodiscover_modules("panels")

admin.site.index_title = "Set-up"
admin.site.site_header = "Backflush"
admin.site.index = views.for_those_with_screens(admin.site.index)  # type: ignore[method-assign]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("config.api_urls")),
    path("", views.today, name="today"),
    path("search/", views.search, name="search"),
    path("stock/items/<int:pk>/file/", item_file, name="item_file"),  # before codes of items, which may hold anything
    path("make/orders/<str:number>/file/", work_order_file, name="work_order_file"),
    path("buy/orders/<str:number>/file/", purchase_order_file, name="purchase_order_file"),
    path("channels/runs/<int:pk>/file/", run_file, name="run_file"),
    path("channels/listings/<int:pk>/file/", listing_file, name="listing_file"),
    path("stock/", include("inventory.urls")),
    path("buy/", include("inventory.urls_buying")),
    path("make/", include("production.urls")),
    path("exceptions/", include("inventory.urls_exceptions")),
    path("quality/", include("production.urls_quality")),
    path("channels/", include("channels_sync.urls")),
    path("audit/", audit, name="audit"),
    path("ledger-check/", integrity.ledger_check, name="ledger_check"),
    path("ledger-check/now/", integrity.check_now, name="ledger_check_now"),
    path("ledger-check/progress/", integrity.check_progress, name="ledger_check_progress"),
    path("ledger-check/<int:pk>/", integrity.ledger_check_run, name="ledger_check_run"),
    path("schedules/", schedules.schedules_page, name="schedules"),
    path("schedules/<int:pk>/run/", schedules.run_now, name="run_now"),
    path("schedules/<int:pk>/switch/", schedules.switch, name="switch_schedule"),
    path("import/", include("inventory.urls_importing")),
    path("admin/", admin.site.urls),
]

handler403 = "config.views.permission_denied"
handler404 = "config.views.page_not_found"
