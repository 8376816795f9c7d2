"""A client of the REST API with a token, as an integration would be."""

import json
from uuid import uuid4

from django.test import Client
from rest_framework.authtoken.models import Token

from config.api import TokenAuthentication


class ApiClient:
    """Speaks JSON to /api/v1/ as one user; None is nobody."""

    def __init__(self, user=None):
        self.client = Client(raise_request_exception=True)
        self.headers = {}
        if user is not None:
            token, _ = Token.objects.get_or_create(user=user)
            self.headers = {"Authorization": f"Token {token.key}"}
            TokenAuthentication().authenticate_credentials(token.key)  # what rights are called is read once a process

    def get(self, path, **parameters):
        return self.client.get(f"/api/v1/{path}", parameters, headers=self.headers)

    def follow(self, address):
        return self.client.get(address, headers=self.headers)

    def send(self, method, path, body=None, *, key=None, raw=None, content_type="application/json"):
        headers = dict(self.headers)
        if key is not None:
            headers["Idempotency-Key"] = str(key)
        data = raw if raw is not None else json.dumps({} if body is None else body)
        return self.client.generic(method, f"/api/v1/{path}", data, content_type=content_type, headers=headers)

    def post(self, path, body=None, *, key="new", **more):
        """`key`: a new one unless given; None sends none."""
        return self.send("POST", path, body, key=uuid4() if key == "new" else key, **more)

    def patch(self, path, body=None, **more):
        return self.send("PATCH", path, body, **more)

    def put(self, path, body=None, **more):
        return self.send("PUT", path, body, **more)

    def delete(self, path):
        return self.send("DELETE", path, raw="")
