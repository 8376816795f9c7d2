"""The set-up screens: each opens, and none writes the ledger."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib import admin
from django.urls import reverse

from inventory.models import CostLayer, Item, Movement, Posting
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import reserve_stock
from production.admin import BomAdmin
from production.bom_checks import BomLineSpec
from production.errors import InvalidBom
from production.models import Bom, BomState
from production.operations.boms import activate_bom, create_draft, replace_lines
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, make_supplier, make_unit, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_administrator(client, administrator):
    administrator.is_superuser = True
    administrator.save()
    client.force_login(administrator)
    return client


def line(component, quantity, **fields):
    return BomLineSpec(component=component, quantity=Decimal(quantity), **fields)


def names():
    return sorted((model._meta.app_label, model._meta.model_name) for model in admin.site._registry)


def test_every_list_opens_also_with_rows(as_administrator):
    put_on_hand(make_item(tracking="lot"), make_location(), "5", lot="L-1", value="3")

    for app, model in names():
        assert as_administrator.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 200, model


def test_every_form_opens_for_those_who_may_add(as_administrator):
    for app, model in names():
        response = as_administrator.get(reverse(f"admin:{app}_{model}_add"), follow=True)  # some lead to a page of ours

        assert response.status_code in (200, 403), model


@pytest.mark.parametrize("model", ["posting", "movement", "stockbalance", "costpool", "costentry", "reservation"])
def test_the_ledger_can_only_be_looked_at(as_administrator, model):
    put_on_hand(make_item(), make_location(), "5", value="3")

    assert as_administrator.get(reverse(f"admin:inventory_{model}_add")).status_code == 403
    for pk in {"posting": Posting, "movement": Movement}.get(model, Item).objects.values_list("pk", flat=True)[:1]:
        if model in ("posting", "movement"):
            assert as_administrator.get(reverse(f"admin:inventory_{model}_change", args=[pk])).status_code == 200
            assert as_administrator.post(reverse(f"admin:inventory_{model}_change", args=[pk]), {}).status_code == 403
            assert as_administrator.post(reverse(f"admin:inventory_{model}_delete", args=[pk])).status_code == 403


def item_fields(item, **changes):
    fields = {
        "sku": item.sku,
        "name": item.name,
        "kind": item.kind,
        "stock_unit": item.stock_unit,
        "step": "1",
        "tracking": item.tracking,
        "cost_method": "average",
        "supply_policy": "stock",
        "over_completion_percent": "0",
        "compliance_tags": "[]",
        "is_active": "on",
        "units-TOTAL_FORMS": "0",
        "units-INITIAL_FORMS": "0",
    }
    return {**fields, **changes}


def test_a_sku_that_differs_only_in_case_is_refused_in_words(as_administrator):
    make_item(sku="WAX", name="Soy wax")
    other = make_item(sku="WICK")

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[other.pk]), item_fields(other, sku="wax")
    )

    assert response.status_code == 200
    assert "WAX is Soy wax already" in response.content.decode()


def test_the_unit_of_an_item_with_movements_stays(as_administrator):
    item = make_item(sku="WAX", unit="kg")
    put_on_hand(item, make_location(), "5")

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, stock_unit="g")
    )

    assert "its unit can no longer change" in response.content.decode()
    item.refresh_from_db()
    assert item.stock_unit == "kg"


def bom_fields(item, lines, **changes):
    fields = {
        "item": item.pk,
        "makes": "1",
        "deviation_policy": "reason",
        "deviation_tolerance_percent": "0",
        "lines-TOTAL_FORMS": str(len(lines)),
        "lines-INITIAL_FORMS": "0",
    }
    for number, (component, quantity, unit) in enumerate(lines):
        fields |= {
            f"lines-{number}-component": component.pk,
            f"lines-{number}-quantity": quantity,
            f"lines-{number}-unit": unit,
            f"lines-{number}-scrap_percent": "0",
            f"lines-{number}-setup_quantity": "0",
            f"lines-{number}-issue_method": "backflush",
            f"lines-{number}-position": str(number),
        }
    return {**fields, **changes}


def test_a_bom_is_written_with_its_lines_in_their_order_and_units(as_administrator):
    candle, wax, jar = make_item(sku="CANDLE"), make_item(sku="WAX", unit="kg", step="0.001"), make_item(sku="JAR")
    make_unit(item=jar, name="carton", numerator="24")

    response = as_administrator.post(
        reverse("admin:production_bom_add"),
        bom_fields(candle, [(wax, "200", "g"), (jar, "1", "")], **{"lines-0-position": "2", "lines-1-position": "1"}),
    )

    assert response.status_code == 302, response.context and response.context["errors"]
    bom = Bom.objects.get()
    assert (bom.version, bom.state) == (1, BomState.DRAFT)
    assert [(row.component.sku, row.quantity, row.unit) for row in bom.lines.all()] == [
        ("JAR", 1, ""),
        ("WAX", 200, "g"),
    ]


def test_a_loop_is_refused_at_the_line_that_closes_it_with_its_path(as_administrator):
    candle, gift = make_item(sku="CANDLE"), make_item(sku="GIFT")
    create_draft(item=gift, lines=[line(candle, 2)], actor=None)

    response = as_administrator.post(reverse("admin:production_bom_add"), bom_fields(candle, [(gift, "1", "")]))

    assert response.status_code == 200
    formset = response.context["inline_admin_formsets"][0].formset
    assert any("CANDLE" in text and "GIFT" in text for text in formset.forms[0].errors["component"])
    assert Bom.objects.filter(item=candle).count() == 0


def test_a_unit_that_does_not_fit_is_refused_at_its_line(as_administrator):
    candle, wax, jar = make_item(sku="CANDLE"), make_item(sku="WAX", unit="kg"), make_item(sku="JAR")

    response = as_administrator.post(
        reverse("admin:production_bom_add"), bom_fields(candle, [(jar, "1", ""), (wax, "2", "m")])
    )

    formset = response.context["inline_admin_formsets"][0].formset
    assert formset.forms[0].errors == {}
    assert "unit" in formset.forms[1].errors


def active_bom(item, component):
    draft = create_draft(item=item, lines=[line(component, 1)], actor=None)
    activate_bom(bom=draft, actor=None)
    return draft


def test_an_active_bom_is_shown_read_only_with_a_way_to_change_it(as_administrator):
    bom = active_bom(make_item(), make_item())

    page = as_administrator.get(reverse("admin:production_bom_change", args=[bom.pk]))
    forced = as_administrator.post(reverse("admin:production_bom_change", args=[bom.pk]), {"makes": "2"})

    assert "Make a draft to edit" in page.content.decode()
    assert 'name="_save"' not in page.content.decode()
    assert forced.status_code == 403


def test_a_draft_is_made_edited_and_activated(as_administrator):
    item, component, other = make_item(), make_item(), make_item()
    bom = active_bom(item, component)

    made = as_administrator.post(reverse("admin:production_bom_draft", args=[bom.pk]))
    draft = Bom.objects.get(item=item, state=BomState.DRAFT)
    edited = as_administrator.post(
        reverse("admin:production_bom_change", args=[draft.pk]), bom_fields(item, [(other, "3", "")])
    )
    as_administrator.post(reverse("admin:production_bom_activate", args=[draft.pk]))

    assert made.url == reverse("admin:production_bom_change", args=[draft.pk])
    assert edited.status_code == 302
    draft.refresh_from_db()
    bom.refresh_from_db()
    assert (draft.state, bom.state) == (BomState.ACTIVE, BomState.RETIRED)
    assert [(row.component, row.quantity) for row in draft.lines.all()] == [(other, 3)]


def test_a_draft_that_somebody_else_saved_is_written_over_only_when_it_is_meant(as_administrator):
    item, component, theirs, mine = make_item(), make_item(), make_item(), make_item()
    draft = create_draft(item=item, lines=[line(component, 1)], actor=None)
    url = reverse("admin:production_bom_change", args=[draft.pk])
    opened = as_administrator.get(url).context["adminform"].form["opened"].value()
    replace_lines(bom=draft, lines=[line(theirs, 2)], actor=None)

    told = as_administrator.post(url, bom_fields(item, [(mine, "3", "")], opened=str(opened)))
    lines_then = [row.component for row in draft.lines.all()]
    form = told.context["adminform"].form
    meant = as_administrator.post(url, bom_fields(item, [(mine, "3", "")], opened=form["opened"].value()))

    assert (told.status_code, lines_then, meant.status_code) == (200, [theirs], 302)
    assert "saved by somebody else since you opened it" in told.content.decode()
    assert 'name="opened"' in told.content.decode()
    assert [row.component for row in draft.lines.all()] == [mine]


def test_a_draft_that_was_activated_meanwhile_is_refused_with_everything_that_was_typed(as_administrator, monkeypatch):
    item, component, mine = make_item(), make_item(), make_item(sku="MINE")
    draft = create_draft(item=item, lines=[line(component, 1)], actor=None)
    stale = Bom.objects.get(pk=draft.pk)
    activate_bom(bom=draft, actor=None)
    monkeypatch.setattr(BomAdmin, "get_object", lambda *_, **__: stale)

    response = as_administrator.post(
        reverse("admin:production_bom_change", args=[draft.pk]), bom_fields(item, [(mine, "3", "")])
    )

    assert response.status_code == 200
    assert "only a draft can be changed" in response.content.decode()
    assert response.context["inline_admin_formsets"][0].formset.forms[0]["component"].value() == str(mine.pk)


def test_a_refusal_while_saving_keeps_everything_that_was_typed(as_administrator, monkeypatch):
    item, component, mine = make_item(), make_item(), make_item(sku="MINE")
    draft = create_draft(item=item, lines=[line(component, 1)], actor=None)

    def refuse(**_):
        raise InvalidBom("MINE went out of use a moment ago.")

    monkeypatch.setattr("production.admin.replace_lines", refuse)

    response = as_administrator.post(
        reverse("admin:production_bom_change", args=[draft.pk]), bom_fields(item, [(mine, "3", "")])
    )

    assert response.status_code == 200
    assert "MINE went out of use a moment ago." in response.content.decode()
    assert response.context["inline_admin_formsets"][0].formset.forms[0]["quantity"].value() == "3"
    draft.refresh_from_db()
    assert (draft.revision, draft.lines.get().component) == (1, component)


def test_activation_needs_its_permission(client, operator):
    draft = create_draft(item=make_item(), lines=[line(make_item(), 1)], actor=None)
    client.force_login(operator)

    response = client.post(reverse("admin:production_bom_activate", args=[draft.pk]))

    assert response.status_code == 403
    draft.refresh_from_db()
    assert draft.state == BomState.DRAFT


def test_an_activation_that_is_refused_says_why(as_administrator):
    draft = create_draft(item=make_item(sku="EMPTY"), actor=None)

    response = as_administrator.post(reverse("admin:production_bom_activate", args=[draft.pk]), follow=True)

    assert "has no line that uses stock" in response.content.decode()
    draft.refresh_from_db()
    assert draft.state == BomState.DRAFT


def test_the_cost_method_changes_with_the_stock_on_hand(as_administrator):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "5", value="10.00")

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, cost_method="fifo", count_group="A")
    )

    item.refresh_from_db()
    assert (response.status_code, item.cost_method, item.count_group) == (302, "fifo", "A")
    assert list(CostLayer.objects.values_list("quantity", "value")) == [(5, 10)]
    assert broken_invariants() == []


def test_a_cost_method_that_cannot_be_is_refused_at_its_field(as_administrator):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "5")

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, cost_method="fifo")
    )

    assert response.status_code == 200
    assert "whose cost is not known" in response.content.decode()
    item.refresh_from_db()
    assert item.cost_method == "average"


def test_a_supplier_item_needs_a_unit_the_item_knows(as_administrator):
    item, supplier = make_item(sku="JAR"), make_supplier(code="GLAS")
    fields = {"supplier": supplier.pk, "item": item.pk, "unit": "carton", "unit_cost": "14.40"}

    refused = as_administrator.post(reverse("admin:inventory_supplieritem_add"), fields)
    make_unit(item=item, name="carton", numerator="24")
    made = as_administrator.post(reverse("admin:inventory_supplieritem_add"), fields)

    assert "cannot be converted" in refused.content.decode()
    assert made.status_code == 302
    assert supplier.items.get().unit_cost == Decimal("14.40")


def test_tables_of_suppliers_are_a_click_away(as_administrator):
    for model in ("supplier", "supplieritem", "supplierstock"):
        page = as_administrator.get(reverse(f"admin:inventory_{model}_changelist")).content.decode()
        assert "Import" in page
        assert "Export" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tracking": "serial"}, "it cannot be tracked by serial number any more"),
        ({"step": "5"}, "its step 1 can only be divided, not become 5"),
        ({"kind": "phantom"}, "its kind must be one that holds stock"),
    ],
)
def test_the_form_of_an_item_refuses_what_the_api_refuses(as_administrator, changes, words):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "5")
    before = Item.objects.values().get(pk=item.pk)

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, **changes)
    )

    assert response.status_code == 200
    assert words in response.content.decode()
    assert Item.objects.values().get(pk=item.pk) == before


def test_the_form_keeps_lots_when_all_of_them_are_used_up(as_administrator):
    item, shelf = make_item(sku="WAX", tracking="lot"), make_location()
    put_on_hand(item, shelf, "5", lot="A")
    issue_stock(key=uuid4(), item=item, location=shelf, quantity=Decimal(5), actor=None)

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, tracking="none")
    )

    assert "its tracking stays by lot" in response.content.decode()


def test_the_form_keeps_an_item_that_is_promised(as_administrator):
    item = make_item(sku="WAX")
    reserve_stock(
        item=item, location=make_location(), quantity=Decimal(1), demand_kind="order", demand_ref="1", actor=None
    )

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, kind="service")
    )

    assert "its kind must be one that holds stock" in response.content.decode()


def test_the_form_changes_what_gives_no_recorded_quantity_another_meaning(as_administrator):
    item = make_item(sku="WAX")
    put_on_hand(item, make_location(), "5")

    response = as_administrator.post(
        reverse("admin:inventory_item_change", args=[item.pk]), item_fields(item, step="0.5", tracking="lot")
    )

    assert response.status_code == 302
    item.refresh_from_db()
    assert (item.step, item.tracking) == (Decimal("0.5"), "lot")
