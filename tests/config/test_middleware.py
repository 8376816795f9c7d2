"""What a request passes before its view: the whole for browsers, a part of it for requests by token."""

import logging

import pytest
import structlog
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from config.api import TokenAuthentication
from config.middleware import NOTHING_MAY_LOAD

pytestmark = pytest.mark.django_db

PROTECTION = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}


@pytest.fixture
def token(viewer):
    return {"Authorization": f"Token {Token.objects.create(user=viewer).key}"}


def test_an_answer_to_a_token_is_protected_and_knows_no_session(client, token):
    answer = client.get("/api/v1/items/", headers=token)

    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in PROTECTION} == PROTECTION
    assert answer.headers["Content-Security-Policy"] == NOTHING_MAY_LOAD
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert not answer.cookies
    assert not hasattr(answer.wsgi_request, "session")
    assert answer.wsgi_request.user.username == token_user(token)


def token_user(token):
    return Token.objects.get(key=token["Authorization"].split()[1]).user.username


def test_a_page_has_its_own_policy_and_a_session(client, viewer):
    client.force_login(viewer)

    answer = client.get("/api/v1/docs/")

    assert {name: answer.headers[name] for name in PROTECTION} == PROTECTION
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.wsgi_request.session.session_key


def test_a_token_opens_no_page(client, token):
    assert client.get("/api/v1/docs/", headers=token).status_code == 302
    assert client.get("/stock/", headers=token).status_code == 302


def test_with_a_cookie_a_token_still_says_who_asks(client, token, planner):
    client.force_login(planner)

    answer = client.get("/api/v1/items/", headers=token)

    assert answer.wsgi_request.user.username == token_user(token)
    assert client.get("/api/v1/docs/", headers=token).status_code == 200


def test_an_unknown_host_is_refused_for_a_token_too(client, token):
    assert client.get("/api/v1/items/", headers={**token, "Host": "evil.example"}).status_code == 400


def test_a_refused_token_leaves_a_line_with_its_request_and_address(client, caplog):
    headers = {"Authorization": "Token " + "0" * 40, "X-Forwarded-For": "8.8.8.8"}

    with caplog.at_level(logging.WARNING, logger="django_structlog"):
        client.get("/api/v1/items/", headers=headers)

    [line] = [r.getMessage() for r in caplog.records if "request_finished" in r.getMessage()]
    assert "code=401" in line
    assert "ip=8.8.8.8" in line
    assert "request_id=" in line


def test_where_somebody_reads_them_the_lines_of_a_token_request_are_there(client, token, caplog):
    with caplog.at_level(logging.INFO, logger="django_structlog"):
        client.get("/api/v1/items/", headers=token)

    words = " ".join(record.getMessage() for record in caplog.records)
    assert "request_started" in words
    assert "request_finished" in words
    assert words.count("request_id=") == 2


def test_no_line_of_another_request_gets_the_id_of_one_that_is_over(client, token, caplog):
    with caplog.at_level(logging.WARNING, logger="django_structlog"):
        assert client.get("/api/v1/items/", headers=token).status_code == 200

    assert not caplog.records
    assert structlog.contextvars.get_contextvars() == {}


def test_of_a_user_with_a_token_the_rest_is_read_when_it_is_asked_for(viewer, token):
    viewer.email = "ada@example.com"
    viewer.save()

    with CaptureQueriesContext(connection) as at_first:
        found, _ = TokenAuthentication().authenticate_credentials(token["Authorization"].split()[1])
        assert (found, found.get_username(), found.has_perm("inventory.view_item")) == (viewer, viewer.username, True)

    assert len(at_first) == 1
    assert found.email == "ada@example.com"
    assert found.get_all_permissions() == viewer.get_all_permissions()


@pytest.mark.parametrize(
    "address", ["/make/orders/?q=%00", "/quality/?q=a%00b", "/exceptions/?q=%00", "/make/boms/?q=%00"]
)
def test_a_character_no_text_can_have_is_refused_in_words(client, administrator, address):
    client.force_login(administrator)
    answer = client.get(address)
    part = client.get(address, headers={"HX-Request": "true", "HX-Target": "content"})

    assert (answer.status_code, part.status_code) == (400, 400)
    assert "NUL character" in answer.content.decode()
    assert "That was not understood" in part.content.decode()
