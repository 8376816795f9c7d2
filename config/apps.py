from django.apps import AppConfig


class BackflushConfig(AppConfig):
    """The composition root: the shell's navigation, the start page and the wiring of all apps."""

    name = "config"
    verbose_name = "Backflush"

    def ready(self) -> None:
        from config import celery  # noqa: F401  makes it the current Celery application
