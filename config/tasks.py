"""What the whole does on a schedule."""

from celery import shared_task

from config.integrity.checking import run_check


@shared_task(acks_late=True, time_limit=3_600, ignore_result=True)
def check_ledger(*, cause: str = "nightly") -> int:
    """Check every fact of the ledger and keep the outcome. Safe to run twice, or twice at once. Returns the broken facts."""
    run = run_check(cause=cause)
    return run.results.exclude(findings=[]).count()
