from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Takes the place of the demo company: the run makes a workshop of its own, and starts sooner without another one."""

    help = "Loads nothing."

    def handle(self, *args, **options):
        self.stdout.write("no demo company: the run makes its own workshop")
