"""The shop as a process: it keeps connections, serves many at once, and survives being killed."""

from __future__ import annotations

import http.client
import json
import stat
import threading
from urllib.parse import urlsplit

import pytest

from channels_sync.adapters.base import ChannelAccount, PushState, QuantityPush, QuantityTarget
from channels_sync.adapters.shopify import ShopifyAdapter
from channels_sync.errors import ChannelUnavailable
from channels_sync.sandbox.process import SandboxProcess


@pytest.fixture
def process(tmp_path):
    with SandboxProcess(data=tmp_path / "shop") as process:
        yield process


def adapter_on(process, **changes):
    options = {"base_url": process.url, "api_version": "2026-10", "access_token": process.token, **changes}
    return ShopifyAdapter(ChannelAccount(**options))


def put(process, **figures):
    with process.control() as control:
        rows = control.put_products(
            [{"sku": sku, "title": sku, "price": "1", "available": figure} for sku, figure in figures.items()]
        )
    return {row["sku"]: row for row in rows}


def push(made, quantity, expected, key):
    item, location = made["inventory_item_id"], made["location_id"]
    return QuantityPush("L", made["sku"], item, location, quantity, expected, 1, key, "gid://backflush/Run/1")


def test_what_was_answered_is_still_there_after_a_kill(process):
    made = put(process, A=5)["A"]
    adapter = adapter_on(process)
    adapter.publish_quantities([push(made, 9, 5, "k1")])
    with process.control() as control:
        control.sell(sku="A", quantity=2)

    process.kill()
    process.start()
    again = adapter_on(process).publish_quantities([push(made, 9, 5, "k1")])
    with process.control() as control:
        state = control.state(sku="A")

    assert again[0].state is PushState.ACCEPTED  # the key survived as well: nothing was done twice
    assert state["available"] == 7
    assert [h["after"] for h in state["history"] if h["name"] == "available"] == [7, 9]


def test_many_writers_with_one_expectation_let_one_win(process):
    made = put(process, A=100)["A"]
    states, start = [], threading.Barrier(8)

    def write(number):
        adapter = adapter_on(process)
        start.wait()
        [outcome] = adapter.publish_quantities([push(made, 200 + number, 100, f"key-{number}")])
        states.append(outcome.state)
        adapter.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(states) == [PushState.ACCEPTED] + [PushState.STALE] * 7
    with process.control() as control:
        assert sum(h["name"] == "available" for h in control.state(sku="A")["history"]) == 1


def test_one_connection_serves_many_requests(process):
    address = urlsplit(process.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    sockets = set()

    for _ in range(5):
        connection.request("GET", "/shop.json")
        response = connection.getresponse()
        response.read()
        sockets.add(connection.sock.getsockname())
    connection.close()

    assert len(sockets) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Length": "99999999999"}, 413), ({"Content-Length": "x"}, 400), ({"Transfer-Encoding": "chunked"}, 411)],
)
def test_a_body_it_cannot_bound_is_refused(process, headers, status):
    address = urlsplit(process.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    connection.putrequest("POST", "/admin/api/2026-10/graphql.json")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()

    response = connection.getresponse()
    connection.close()

    assert response.status == status


@pytest.mark.parametrize(("kind", "applied"), [("drop_connection", 5), ("drop_after_apply", 9)])
def test_a_dropped_connection_is_an_unknown_outcome_and_the_repeat_is_right(process, kind, applied):
    made = put(process, A=5)["A"]
    adapter = adapter_on(process)
    with process.control() as control:
        control.add_fault(kind)

        with pytest.raises(ChannelUnavailable) as failure:
            adapter.publish_quantities([push(made, 9, 5, "k1")])
        between = control.available(sku="A")
        [outcome] = adapter.publish_quantities([push(made, 9, 5, "k1")])

    assert failure.value.outcome_unknown
    assert between == applied
    assert outcome.state is PushState.ACCEPTED
    [reading] = adapter.read_quantities([QuantityTarget("L", made["inventory_item_id"], made["location_id"])])
    assert reading.available == 9


def test_its_secrets_are_for_its_owner_only(process):
    address = process.data / "address.json"

    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert json.loads(address.read_text())["url"] == process.url


def test_stops_when_told_and_takes_its_address_away(process):
    process.stop()

    assert not (process.data / "address.json").exists()


def test_a_start_that_fails_says_why(process, tmp_path):
    port = urlsplit(process.url).port

    with pytest.raises(RuntimeError, match="Address already in use"):
        SandboxProcess(data=tmp_path / "other", port=port).start()
