"""What files a BOM may carry, told from what they contain and not from what they are called. Pure."""

import zipfile
from io import BytesIO
from pathlib import PurePath

from production.errors import AttachmentRefused

BYTES_MAX = 20 * 1024 * 1024
NAME_CHARS_MAX = 200
_HEAD_BYTES = 512

_STARTS = (
    (b"%PDF-", "application/pdf", (".pdf",)),
    (b"\x89PNG\r\n\x1a\n", "image/png", (".png",)),
    (b"\xff\xd8\xff", "image/jpeg", (".jpg", ".jpeg")),
    (b"GIF87a", "image/gif", (".gif",)),
    (b"GIF89a", "image/gif", (".gif",)),
    (b"ISO-10303-21", "model/step", (".step", ".stp")),
)
_TEXTS = {".txt": "text/plain", ".csv": "text/csv", ".dxf": "image/vnd.dxf", ".stl": "model/stl"}
_OFFICE = {
    ".xlsx": ("xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ".docx": ("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
}
SHOWN_IN_PLACE = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show itself; everything else is downloaded."""
KINDS = "PDF, PNG, JPEG, GIF, WebP, plain text, CSV, DXF, STL, STEP, XLSX or DOCX"


def content_type_of(*, name: str, content: bytes) -> str:
    """The type of a file by its content, which its name must agree with. Raises AttachmentRefused."""
    suffix = PurePath(name).suffix.lower()
    if not content:
        raise AttachmentRefused(f"{name} is empty. Choose the file again.", name=name)
    if len(content) > BYTES_MAX:
        raise AttachmentRefused(
            f"{name} has {len(content) / 1024 / 1024:.1f} MB, at most {BYTES_MAX // 1024 // 1024} MB are kept. "
            "Make it smaller, or keep a link to it in the instructions.",
            name=name,
            bytes=len(content),
        )
    for start, kind, suffixes in _STARTS:
        if content.startswith(start):
            return _agreed(name, suffix, suffixes, kind)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _agreed(name, suffix, (".webp",), "image/webp")
    if suffix in _OFFICE and content.startswith(b"PK\x03\x04"):
        part, kind = _OFFICE[suffix]
        if part in _names_in(content):
            return kind
    elif suffix in _TEXTS and _is_harmless_text(content, suffix):
        return _TEXTS[suffix]
    raise AttachmentRefused(
        f"{name} is not what its name says, or of a kind that is not kept. Attach {KINDS}.", name=name
    )


def safe_name(name: str) -> str:
    """The last part of a name without control characters, short enough to keep."""
    plain = "".join(mark for mark in name.replace("\\", "/").rsplit("/", 1)[-1] if mark.isprintable()).strip()
    stem, dot, suffix = plain.rpartition(".")
    if not dot:
        return plain[:NAME_CHARS_MAX] or "file"
    return f"{stem[: NAME_CHARS_MAX - len(suffix) - 1]}.{suffix}"


def _agreed(name: str, suffix: str, suffixes: tuple[str, ...], kind: str) -> str:
    if suffix not in suffixes:
        raise AttachmentRefused(
            f"{name} contains {kind}, but its name ends in {suffix or 'nothing'}. Rename it to end in {suffixes[0]}.",
            name=name,
        )
    return kind


def _names_in(content: bytes) -> set[str]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return set(archive.namelist())
    except zipfile.BadZipFile:
        return set()


def _is_harmless_text(content: bytes, suffix: str) -> bool:
    """Whether it reads as text without markup that a browser would run. A binary STL is told by the length it states."""
    if suffix == ".stl" and len(content) >= 84 and len(content) == 84 + 50 * int.from_bytes(content[80:84], "little"):
        return True
    if b"\0" in content:
        return False
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    head = text[:_HEAD_BYTES].lstrip().casefold()
    return not head.startswith(("<!doctype", "<html", "<script", "<svg", "<?xml"))
