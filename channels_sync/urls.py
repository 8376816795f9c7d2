from django.urls import path

from channels_sync.views import channels, policies

app_name = "channels_sync"

urlpatterns = [
    path("", channels.channels, name="channels"),
    path("listings/", channels.listings, name="listings"),
    path("listings/<int:pk>/", channels.listing_page, name="listing"),
    path("listings/<int:pk>/why/", channels.why, name="why"),
    path("listings/<int:pk>/retry/", channels.retry, name="retry"),
    path("policies/<int:pk>/", policies.policy_page, name="policy"),
    path("<slug:code>/", channels.channel_page, name="channel"),
    path("<slug:code>/pause/", channels.pause, name="pause"),
    path("<slug:code>/resume/", channels.resume, name="resume"),
    path("<slug:code>/mode/", channels.change_mode, name="change_mode"),
]
