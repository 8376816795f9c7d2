import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from production.models import Bom

pytestmark = pytest.mark.django_db


def send(client, text, *, kind, **fields):
    file = SimpleUploadedFile("list.csv", text.encode())
    return client.post(reverse("import_table", args=[kind]), {"file": file, **fields})


def test_a_parts_list_without_parents_asks_for_its_product(client, planner):
    client.force_login(planner)
    text = "Item,Qty\nWAX,190 g\n"
    asked = send(client, text, kind="boms", action="check", create_items="on", activate="on")
    fields = {"product": "CANDLE", "create_items": "on", "activate": "on"}
    seen = send(client, text, kind="boms", action="check", **fields).context["report"]

    send(client, text, kind="boms", action="import", expected=seen.fingerprint, **fields)

    assert "it is the BOM of one product" in str(asked.context["form"].errors["product"])
    assert Bom.objects.get().item.sku == "CANDLE"
