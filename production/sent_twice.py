"""Forms that open something and carry a key: sent twice, they open it once."""

from django.http import HttpRequest

IN_SESSION = "opened"
KEYS_KEPT_MAX = 20


def opened_before(request: HttpRequest) -> str:
    """The number of what the key of this post opened before; empty when it has opened nothing."""
    return str(request.session.get(IN_SESSION, {}).get(request.POST.get("key", ""), ""))


def note_opened(request: HttpRequest, key: object, number: str) -> None:
    """Remember what a key opened."""
    opened = request.session.get(IN_SESSION, {})
    opened[str(key)] = number
    request.session[IN_SESSION] = dict(list(opened.items())[-KEYS_KEPT_MAX:])
