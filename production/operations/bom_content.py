"""Saving a draft as a whole: head, lines with substitutes, by-products and operations, or nothing of it."""

from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from production.bom_checks import raise_problems
from production.bom_content import BomContent
from production.errors import BomChangedMeanwhile
from production.models import Bom
from production.operations.bom_lines import write_lines
from production.operations.bom_parts import write_operations, write_outputs, write_substitutes
from production.operations.boms import check_draft, lock_graph, locked_versions, save_version
from production.reads.bom_check import check_content
from production.reads.bom_content import content_of


@operation
def write_bom(*, bom: Bom, content: BomContent, revision: int | None, actor: Actor) -> Bom:
    """Give a draft exactly this content. `revision` is that of the draft it was made from; None writes over whatever is there.

    Raises WrongState when it is no draft any more, BomChangedMeanwhile when another revision was saved since, BomCycle and
    InvalidBom with all problems; nothing is changed then. Content that is stored already is not written again.
    """
    lock_graph()
    draft = locked_versions(bom)[bom.pk]
    check_draft(draft, "changed")
    if revision is not None and revision != draft.revision:
        raise BomChangedMeanwhile(
            f"BOM v{draft.version} of {draft.item.sku} was saved by somebody else since you opened it; it is at revision "
            f"{draft.revision}, you began with {revision}. Nothing of yours was written. Look at what changed, then save "
            "yours over it or take theirs.",
            revision=draft.revision,
            yours=revision,
        )
    problems = check_content(item=draft.item, content=content, bom_id=draft.pk)
    raise_problems(problems, what=f"BOM v{draft.version} of {draft.item.sku} cannot be saved")
    before = content_of(draft)
    if before == content:
        return draft
    write_lines(draft, content.lines, actor=actor)
    write_substitutes(draft, content.lines)
    if list(before.outputs) != list(content.outputs):
        write_outputs(draft, content.outputs)
    if list(before.operations) != list(content.operations):
        write_operations(draft, content.operations)
    head = content.head
    draft.makes = head.makes
    draft.effective_from = head.effective_from
    draft.deviation_policy = head.deviation_policy
    draft.deviation_tolerance_percent = head.deviation_tolerance_percent
    draft.process_loss_percent = head.process_loss_percent
    draft.capacity_per_day = head.capacity_per_day
    draft.instructions = head.instructions
    draft.note = head.note
    draft.revision += 1
    save_version(draft, actor)
    return draft
