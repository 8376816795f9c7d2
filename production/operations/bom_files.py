"""Files of a draft: attached after a look at what they contain, and taken away again."""

from django.core.files.base import ContentFile

from inventory.errors import WrongState
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from production.attachments import content_type_of, safe_name
from production.errors import AttachmentRefused
from production.models import Bom, BomAttachment
from production.operations.boms import check_draft, locked_versions

FILES_MAX = 50


@operation
def attach_file(*, bom: Bom, name: str, content: bytes, actor: Actor) -> BomAttachment:
    """Attach a file to a draft. Raises AttachmentRefused for what is too large or not kept, WrongState when it is no draft."""
    kept = safe_name(name)
    kind = content_type_of(name=kept, content=content)
    draft = locked_versions(bom)[bom.pk]
    check_draft(draft, "given another file")
    if draft.attachments.count() >= FILES_MAX:
        raise AttachmentRefused(f"{draft} has {FILES_MAX} files already. Take one away first.", bom=draft.pk)
    attachment = BomAttachment(
        bom=draft, name=kept, content_type=kind, size_bytes=len(content), uploaded_by_id=getattr(actor, "pk", None)
    )
    attachment.file.save(kept, ContentFile(content), save=False)
    attachment.save()
    return attachment


@operation
def remove_file(*, attachment: BomAttachment, actor: Actor) -> None:  # noqa: ARG001  the actor is that of every operation
    """Take a file away from a draft. The file itself stays, for other versions may show it.

    Raises WrongState when the version is no draft any more, or the file is gone already.
    """
    draft = locked_versions(attachment.bom)[attachment.bom_id]
    check_draft(draft, "given another file")
    deleted, _ = BomAttachment.objects.filter(pk=attachment.pk, bom=draft).delete()
    if not deleted:
        raise WrongState(f"{attachment.name} was taken away already.", attachment=attachment.pk)
