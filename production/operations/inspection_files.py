"""Photos and files of an inspection: looked at by their first bytes, kept under a name of our own."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile

from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from production.errors import FileRefused
from production.models import Inspection, InspectionFile

FILES_MAX: Final = 40
"""Files of one inspection at most."""


@dataclass(frozen=True, slots=True)
class FileKind:
    content_type: str
    suffix: str
    is_image: bool = True


JPEG, PNG, GIF, WEBP = (
    FileKind("image/jpeg", "jpg"),
    FileKind("image/png", "png"),
    FileKind("image/gif", "gif"),
    FileKind("image/webp", "webp"),
)
HEIC, PDF = FileKind("image/heic", "heic", is_image=False), FileKind("application/pdf", "pdf", is_image=False)
IMAGES = frozenset(kind.content_type for kind in (JPEG, PNG, GIF, WEBP))
"""What a browser shows in the page; the rest is downloaded."""


def kind_of(start: bytes) -> FileKind | None:
    """What the first bytes of a file say it is; None for anything that is not kept. The name it came with says nothing."""
    if start.startswith(b"\xff\xd8\xff"):
        return JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if start.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return WEBP
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"hevc"):
        return HEIC
    return PDF if start.startswith(b"%PDF-") else None


@operation
def attach_file(*, inspection: Inspection, upload: "UploadedFile[Any]", actor: Actor) -> InspectionFile:
    """Keep a photo (JPEG, PNG, GIF, WebP, HEIC) or a PDF with an inspection. Raises FileRefused for anything else.

    The file is written below the media root under a random name; what it was called is kept for people to read.
    """
    size_max = settings.INSPECTION_FILE_BYTES_MAX
    size = upload.size or 0
    name = _shown_name(upload.name or "")
    if not size:
        raise FileRefused(f"{name} is empty. Take the photo again.", size=0)
    if size > size_max:
        raise FileRefused(
            f"{name} has {size / 1_000_000:.1f} MB; at most {size_max / 1_000_000:.0f} MB are kept. Make it smaller.",
            size=size,
            size_max=size_max,
        )
    content = upload.read()
    kind = kind_of(content[:16])
    if kind is None:
        raise FileRefused(
            f"{name} is neither a photo (JPEG, PNG, GIF, WebP, HEIC) nor a PDF, whatever its name says. Choose another file."
        )
    held = Inspection.objects.select_for_update(of=("self",), no_key=True).get(pk=inspection.pk)
    if held.files.count() >= FILES_MAX:
        raise FileRefused(f"This inspection has {FILES_MAX} files already. Leave some out.")
    made = InspectionFile(
        inspection=held,
        name=name,
        content_type=kind.content_type,
        size_bytes=len(content),
        uploaded_by_id=getattr(actor, "pk", None),
    )
    made.file.save(f"{uuid4().hex}.{kind.suffix}", ContentFile(content), save=True)
    return made


def _shown_name(name: str) -> str:
    """The name without a path and without characters that are not seen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:200].strip() or "file"
