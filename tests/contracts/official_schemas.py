"""Shopify's own schemas, fetched as an npm package into the cache and never kept with the source."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema

PACKAGE = "@shopify/dev-mcp@1.16.0"
_CACHE = Path(__file__).resolve().parents[2] / "var" / "cache" / "shopify-schemas-1.16.0"
_FETCH_SECONDS_MAX = 180


@functools.cache
def schema_folder() -> Path | str:
    """The folder that holds `admin_<version>.json.gz`, or why there is none."""
    given = os.environ.get("SHOPIFY_SCHEMAS_DIR")
    if given:
        return Path(given)
    if _CACHE.is_dir():
        return _CACHE
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed, so Shopify's schemas cannot be fetched"
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as draft:
        try:
            subprocess.run(
                [npm, "pack", PACKAGE, "--pack-destination", draft, "--silent"],
                check=True,
                capture_output=True,
                timeout=_FETCH_SECONDS_MAX,
                cwd=draft,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"{PACKAGE} is not to be had ({type(error).__name__})"
        unpacked = Path(draft) / "schemas"
        unpacked.mkdir()
        [archive] = Path(draft).glob("*.tgz")
        with tarfile.open(archive) as members:
            for member in members:
                name = Path(member.name).name
                source = members.extractfile(member) if name.startswith("admin_") and member.isfile() else None
                if source is not None:
                    (unpacked / name).write_bytes(source.read())
        with contextlib.suppress(OSError):  # another test process was faster
            unpacked.rename(_CACHE)
    return _CACHE


@functools.cache
def official_schema(version: str) -> GraphQLSchema:
    """Shopify's schema of one version. Skips the test when it cannot be fetched."""
    folder = schema_folder()
    if isinstance(folder, str):
        pytest.skip(folder)
    with gzip.open(folder / f"admin_{version}.json.gz") as file:
        data = json.load(file)
    return build_client_schema(data.get("data", data), assume_valid=True)
