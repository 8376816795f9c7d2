from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import autodiscover_modules

from config import views

autodiscover_modules("panels")

admin.site.index_title = "Set-up"
admin.site.site_header = "Backflush"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.today, name="today"),
    path("search/", views.search, name="search"),
    path("stock/", include("inventory.urls")),
    path("buy/", include("inventory.urls_buying")),
    path("make/", include("production.urls")),
    path("channels/", include("channels_sync.urls")),
    path("import/", include("inventory.urls_importing")),
    path("api/v1/", include("config.api_urls")),
    path("admin/", admin.site.urls),
]

handler403 = "config.views.permission_denied"
handler404 = "config.views.page_not_found"
