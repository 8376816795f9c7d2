from django.apps import AppConfig


class ChannelsSyncConfig(AppConfig):
    name = "channels_sync"
    verbose_name = "Channels"
    default_auto_field = "django.db.models.BigAutoField"
