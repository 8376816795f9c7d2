"""Every address asks who is there: the list is taken from the URL resolver, so a new page is in it from its first day."""

import itertools
import re
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import Resolver404, URLPattern, get_resolver, resolve
from django.utils.regex_helper import normalize

OPEN_TO_ALL = {
    "admin:login": "the log-in itself",
    "admin:logout": "ends a session, and does nothing without one",
    "config.api_urls.nothing_here": "answers 404 to whatever is no address of the API",
}
"""Whoever adds to this list says why."""
SAMPLES = ("1", "x", "inventory", "0b7e1f0e-6f0c-4b52-9d51-6a1d6f7f2f9e", "json", "2026")
ANSWERS_THAT_REFUSE = {401, 403}


def patterns(resolver, *, prefix="", names=()):
    """(name, address pattern, view) of each address, in the order they are tried."""
    for entry in resolver.url_patterns:
        regex = entry.pattern.regex.pattern.removeprefix("^").replace(r"\Z", "").replace(r"\z", "")
        if isinstance(entry, URLPattern):
            view = entry.callback
            name = ":".join((*names, entry.name)) if entry.name else f"{view.__module__}.{view.__name__}"
            yield name, prefix + regex, view
        else:
            inner = (*names, entry.namespace) if entry.namespace else names
            yield from patterns(entry, prefix=prefix + regex, names=inner)


def address_of(regex, view):
    """An address that leads to the view; None when no sample value fits."""
    for template, parameters in normalize(regex):
        for values in itertools.product(SAMPLES, repeat=len(set(parameters))):
            address = "/" + template % dict(zip(dict.fromkeys(parameters), values, strict=True))
            try:
                if resolve(address).func is view:
                    return address
            except Resolver404:
                continue
    return None


def all_addresses():
    found = {}
    for name, regex, view in patterns(get_resolver()):
        address = address_of(regex, view)
        if address is None or address not in found.values():
            found[f"{name} {regex}"] = (name, address)
    return found


ADDRESSES = all_addresses()


def is_refused(response):
    if response.status_code in (301, 302):
        target = urlsplit(response.headers["Location"]).path
        return target == str(settings.LOGIN_URL)
    return response.status_code in ANSWERS_THAT_REFUSE


@pytest.mark.django_db
@pytest.mark.parametrize("key", sorted(key for key, (name, _) in ADDRESSES.items() if name not in OPEN_TO_ALL))
def test_strangers_are_sent_to_the_login(key):
    _, address = ADDRESSES[key]
    assert address is not None, f"no sample value fits {key}: add one to SAMPLES"

    answers = [Client().get(address), Client().post(address)]

    let_in = [answer.status_code for answer in answers if not is_refused(answer) and answer.status_code != 405]
    assert let_in == [], address
    assert any(is_refused(answer) for answer in answers), f"{address}: 405 to both methods proves nothing"


def test_the_open_addresses_exist_and_are_few():
    assert set(OPEN_TO_ALL) - {name for name, _ in ADDRESSES.values()} == set()
    assert len(OPEN_TO_ALL) <= 6


def test_pages_admin_and_api_were_found():
    addresses = [address for _, address in ADDRESSES.values() if address]

    for start in ("/stock/", "/make/", "/channels/", "/admin/inventory/item/", "/api/v1/completions/"):
        assert any(address.startswith(start) for address in addresses), start
    assert not any(re.search(r"[()?\\^]", address) for address in addresses)
