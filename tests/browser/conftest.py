"""A real Chromium against a real server on a database of its own, in which commits count."""

import os
import shutil
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client

from tests.factories import make_user

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def _and_close_connections(application):
    """Each request of the threaded server leaves no connection behind, so that the database can be dropped.

    The answer is read whole before it is sent. A generator that closed the connections at its end would, when the browser
    goes away in the middle, be ended by the garbage collector: in any thread, also in the one of a test that comes later.
    """

    def run(environ, start_response):
        try:
            response = application(environ, start_response)
            try:
                return [b"".join(response)]
            finally:
                if hasattr(response, "close"):
                    response.close()
        finally:
            connections.close_all()

    return run


def chromium_path():
    return os.environ.get("BACKFLUSH_CHROMIUM") or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )


@pytest.fixture(scope="session")
def browser(django_db_setup, django_db_blocker):
    if os.environ.get("BACKFLUSH_NO_BROWSER") == "1":
        pytest.skip("BACKFLUSH_NO_BROWSER=1: browser tests are switched off")
    path = chromium_path()
    if not path:
        pytest.skip("no Chromium found: install one, or name it in BACKFLUSH_CHROMIUM")
    from playwright.sync_api import sync_playwright

    # Playwright's synchronous interface runs an event loop in this thread, in which Django refuses to use the database.
    # There connections are others than before, and one left open would keep the database from being cloned.
    with django_db_blocker.unblock():
        connections.close_all()
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def site(committed_db, browser):
    """The address of a server on the cloned database."""
    application = _and_close_connections(StaticFilesHandler(get_wsgi_application()))
    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="site", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


def _session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.fixture
def open_page(browser, site):
    """Opens a page of a given size, logged in with one of the first roles. A script error fails the test."""
    contexts, errors = [], []

    def opened(path="/make/complete/", *, role="operator", width=1440, height=900, **options):
        user = make_user(role=role)
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=site, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        if options.get("java_script_enabled") is False:
            # The log-in page of the shell needs scripts; what stands behind it does not.
            context.add_cookies([{"name": "sessionid", "value": _session_of(user), "url": site}])
            page = context.new_page()
            page.goto(path)
            return page
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"/admin/login/?next={path}")
        page.fill("#id_username", user.username)
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")
        page.wait_for_url(f"{site}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
