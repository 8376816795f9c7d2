from django.urls import path

from channels_sync.views import campaigns, channels, guarding, policies, sending

app_name = "channels_sync"

urlpatterns = [
    path("", channels.channels, name="channels"),
    path("listings/", channels.listings, name="listings"),
    path("listings/<int:pk>/", channels.listing_page, name="listing"),
    path("listings/<int:pk>/why/", channels.why, name="why"),
    path("listings/<int:pk>/retry/", channels.retry, name="retry"),
    path("policies/", policies.policies, name="policies"),
    path("policies/edit/", policies.edit_policy, name="edit_policy"),
    path("policies/effect/", policies.policy_effect, name="policy_effect"),
    path("policies/<int:pk>/", policies.policy_page, name="policy"),
    path("policies/<int:pk>/withdraw/", policies.withdraw, name="withdraw_policy"),
    path("policies/campaigns/", campaigns.campaigns, name="campaigns"),
    path("policies/campaigns/new/", campaigns.new_campaign, name="new_campaign"),
    path("policies/campaigns/effect/", campaigns.campaign_effect, name="campaign_effect"),
    path("policies/campaigns/<int:pk>/", campaigns.campaign_page, name="campaign"),
    path("policies/campaigns/<int:pk>/end/", campaigns.end, name="end_campaign"),
    path("runs/", guarding.runs, name="runs"),
    path("runs/<int:pk>/", guarding.run_page, name="run"),
    path("runs/<int:pk>/approve/", guarding.approve, name="approve_run"),
    path("runs/<int:pk>/refuse/", guarding.refuse, name="refuse_run"),
    path("runs/<int:pk>/undo/", guarding.undo, name="undo_run"),
    path("freezes/", guarding.freezes, name="freezes"),
    path("freezes/lift/", guarding.lift_freezes, name="lift_freezes"),
    path("switch/", guarding.switch_all, name="switch_all"),
    path("publishing/", sending.publishing, name="publishing"),
    path("publishing/hours/<int:pk>/remove/", sending.remove_hours, name="remove_hours"),
    path("<slug:code>/", channels.channel_page, name="channel"),
    path("<slug:code>/guard/", guarding.guard, name="guard"),
    path("<slug:code>/pause/", channels.pause, name="pause"),
    path("<slug:code>/resume/", channels.resume, name="resume"),
    path("<slug:code>/mode/", channels.change_mode, name="change_mode"),
    path("<slug:code>/sending/", sending.sending, name="sending"),
    path("<slug:code>/sending/pace/", sending.change_pace, name="change_pace"),
    path("<slug:code>/sending/retry/", sending.retry_all, name="retry_given_up"),
]
