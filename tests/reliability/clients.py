"""Clients that post over HTTP, and repeat with the same key whatever they got no clear answer to."""

import random
import threading
import time
from uuid import UUID

import httpx

from tests.reliability.journal import Request
from tests.reliability.workshop import PLACE

ANSWER_SECONDS_MAX = 15.0
"""A client waits for one answer as long as this, then repeats."""
REQUEST_SECONDS_MAX = 90.0
"""A request whose fate is not known after so many seconds of repeating is left to the end of the run."""
ALLOWED_REFUSALS = {
    "completion": {"INSUFFICIENT_STOCK"},
    "receipt": set(),
    "issue": {"INSUFFICIENT_STOCK", "RESERVED_BY_OTHER"},
    "reversal": {"REVERSAL_BLOCKED", "ALREADY_REVERSED", "INSUFFICIENT_STOCK"},
}
FAR_TOO_MANY = 900_000_000


class Client(threading.Thread):
    """One client with its own connection, its own random choices, and its own completions to take back."""

    def __init__(self, *, number, seed, workshop, journal, base_url, is_over, made):
        super().__init__(name=f"client-{number}", daemon=True)
        self._chance = random.Random(f"{seed}:{number}")
        self._workshop = workshop
        self._journal = journal
        self._is_over = is_over
        self._made = made
        self._http = httpx.Client(
            base_url=base_url,
            timeout=ANSWER_SECONDS_MAX,
            trust_env=False,
            headers={"Authorization": f"Token {workshop.token}"},
        )

    def run(self):
        while not self._is_over.is_set():
            request = self._think_of_one()
            self._journal.sent(request)
            self.settle(request, seconds=REQUEST_SECONDS_MAX)
            if request.kind == "completion" and request.status == "acknowledged":
                self._made.append(request)
            if request.status == "acknowledged" and self._chance.random() < 0.05:
                self._ask_again(request)

    def settle(self, request, *, seconds):
        """Send until the fate of the request is known, or the time is over."""
        ends_at = time.monotonic() + seconds
        while request.status == "unknown" and time.monotonic() < ends_at:
            request.attempts += 1
            response = self._send(request)
            if response is None or response.status_code >= 500:
                self._journal.unclear(request, "nothing" if response is None else f"HTTP {response.status_code}")
                time.sleep(self._chance.uniform(0.05, 0.3))
            elif response.status_code in (200, 201):
                if response.headers.get("Idempotency-Replayed") == "true":
                    self._journal.count("found done when repeated")
                self._journal.acknowledged(request, response.json())
            else:
                self._note_refusal(request, response)

    def _note_refusal(self, request, response):
        code = _code_of(response)
        self._journal.refused(request, code)
        if code not in ALLOWED_REFUSALS[request.kind]:
            self._journal.complain(
                f"{request.kind} {request.key} got HTTP {response.status_code} {code}: {response.text[:300]}"
            )

    def _ask_again(self, request):
        """An acknowledged request, repeated: the same answer, and said to be a repetition."""
        response = self._send(request)
        if response is None or response.status_code >= 500:
            return
        self._journal.count("asked again")
        is_replay = response.headers.get("Idempotency-Replayed") == "true"
        if response.status_code not in (200, 201) or not is_replay or response.json() != request.answer:
            self._journal.complain(
                f"{request.kind} {request.key} answered differently when it was repeated: HTTP {response.status_code}, "
                f"{response.text[:300]}"
            )

    def _send(self, request):
        try:
            return self._http.post(request.path, json=request.body, headers={"Idempotency-Key": request.key})
        except httpx.TransportError:
            return None

    def _think_of_one(self):
        chance = self._chance.random()
        if chance < 0.10:
            return self._receipt()
        awake = [made for made in self._made if made.sku not in self._journal.resting]
        if chance < 0.20 and awake:
            return self._reversal(self._chance.choice(awake))
        if chance < 0.28 and awake:
            return self._issue(self._chance.choice(awake))
        return self._completion()

    def _completion(self):
        """One in twenty asks for far more than can be made, and must be refused."""
        sku = self._chance.choice([sku for sku in self._workshop.products if sku not in self._journal.resting])
        good = FAR_TOO_MANY if self._chance.random() < 0.05 else self._chance.randint(1, 9)
        body = {"item": sku, "good": str(good), "output_location": PLACE, "source_location": PLACE}
        return self._request("completion", "/api/v1/completions/", body, sku, good)

    def _receipt(self):
        sku, quantity = self._chance.choice(self._workshop.components), self._chance.randint(1, 50)
        line = {"item": sku, "location": PLACE, "quantity": str(quantity), "value": f"{quantity}.37"}
        return self._request("receipt", "/api/v1/receipts/", {"lines": [line]}, sku, quantity)

    def _issue(self, made):
        sku, quantity = made.sku, self._chance.randint(1, 4)
        body = {"item": sku, "location": PLACE, "quantity": str(quantity)}
        return self._request("issue", "/api/v1/issues/", body, sku, quantity)

    def _reversal(self, made):
        self._made.remove(made)
        path = f"/api/v1/completions/{made.posting_id}/reverse/"
        return self._request("reversal", path, {}, made.sku, made.quantity, of=made)

    def _request(self, kind, path, body, sku, quantity, of=None):
        key = str(UUID(int=self._chance.getrandbits(128), version=4))
        return Request(key=key, kind=kind, path=path, body=body, sku=sku, quantity=quantity, of=of)


def _code_of(response):
    try:
        return str(response.json().get("code", ""))
    except ValueError:
        return ""
