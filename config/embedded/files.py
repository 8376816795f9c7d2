"""Small files that are replaced in one step, so that a reader never sees half of one."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write_atomically(*, path: Path, text: str, mode: int = 0o644, owner: tuple[int, int] | None = None) -> None:
    """Replace `path` by a file with `text`. `owner` is (uid, gid), set before the file becomes visible."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold one JSON object, not {type(content).__name__}. Remove the file.")
    return content


def keep_once(*, path: Path, text: str) -> str:
    """Write `text` to `path`, readable by its owner only, unless the file exists. Returns what the file holds.

    Two processes that come at the same moment get the same text.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        write_atomically(path=draft, text=text, mode=0o600)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other process was first: its text counts
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")
