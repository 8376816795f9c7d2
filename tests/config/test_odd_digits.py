"""A sign that Python calls a digit and that is no number is a text like any other, wherever it is typed."""

import pytest
from django.test import Client

from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db

PAGES = (
    "/search/?q={}",
    "/stock/ledger/?before={}",
    "/stock/items/{item}/?tab=ledger&before={}&place={}&lot={}",
    "/stock/items/{item}/?tab=lots&before={}",
    "/stock/lots/?before={}",
    "/stock/counts/plan/?place={}",
    "/buy/late-costs/new/?find={}&target={}",
    "/exceptions/?owner={}",
    "/ledger-check/?before={}&after={}",
    "/channels/policies/edit/?policy={}",
    "/make/disassemble/?completion={}",
    "/make/disassemblies/?before={}",
    "/make/completions/?before={}",
)


@pytest.mark.parametrize("sign", ["²", "٣", "9" * 30])
@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_shown(administrator, page, sign):
    client = Client()
    client.force_login(administrator)
    item = make_item()
    put_on_hand(item, make_location(), "5")

    response = client.get(page.replace("{item}", str(item.pk)).replace("{}", sign))

    assert response.status_code == 200, page
