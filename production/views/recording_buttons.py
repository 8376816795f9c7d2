"""What the small buttons on the page that records completions do to what was typed, without posting anything."""

from typing import Any

from django.http import QueryDict

from inventory.errors import DomainError
from inventory.models import Lot
from inventory.whole_numbers import whole_number
from production.forms import new_key
from production.output_lots import next_serials, read_serials
from production.subjects import subject_of


def with_button(posted: QueryDict) -> QueryDict:
    """The posted fields after the effect of the button that was pressed: fill in a quantity, show or reset lots."""
    data = posted.copy()
    if "fill" in posted:
        data["good"] = posted.get("fill", "")
    if "more" in posted:
        data.setlist("more", [*dict.fromkeys(posted.getlist("more"))])
    _use_instead(data, posted.get("instead", ""))
    if "number" in posted:
        data["output_lots"] = _numbered(posted)
    for name in ("choose", "automatic"):
        component = posted.get(name)
        if component is None:
            continue
        opened = [text for text in data.getlist("open") if text != component]
        if name == "choose":
            opened.append(component)
        data.setlist("open", opened)
        if name == "automatic":
            for key in [key for key in data if key.startswith((f"lot-{component}-", f"lotwas-{component}-"))]:
                del data[key]
    return data


def _use_instead(data: QueryDict, wanted: str) -> None:
    """The button of a substitute: `component-substitute-quantity` goes into its field."""
    names, _, quantity = wanted.rpartition("-")
    component, _, _ = names.partition("-")
    if names and quantity:
        data[f"sub-{names}"] = quantity
        data.appendlist("more", component)


def _numbered(posted: QueryDict) -> str:
    """Serial numbers that follow the last one of the item, as many as are missing for the good quantity."""
    subject = subject_of(item=posted.get("item", ""), work_order=posted.get("work_order", ""))
    given = posted.get("output_lots", "")
    good = posted.get("good", "").strip()
    if subject is None or whole_number(good, digits_max=4) is None:
        return given
    try:
        typed = read_serials(given)
    except DomainError:
        return given
    last = (
        typed[-1]
        if typed
        else Lot.objects.filter(item=subject.item).order_by("-pk").values_list("code", flat=True).first()
    )
    missing = max(int(good) - len(typed), 0)
    return "\n".join([*typed, *next_serials(last or f"{subject.item.sku}-0000", missing)])


def with_new_key(data: Any) -> QueryDict:
    changed: QueryDict = data.copy()
    changed["key"] = new_key()
    return changed
