"""Categories by their way from the top: `Wax/Soy`. A slash that belongs to a name is doubled: `Nuts//Bolts`."""

from collections.abc import Iterable, Mapping

from django.contrib.auth import get_user_model

from inventory.importing.tables import canonical
from inventory.models import ItemCategory
from inventory.operations.posting import Actor

Path = tuple[str, ...]
NAME_MAX = 100


def read_path(text: str) -> Path:
    """The names on the way; blanks around them do not count, empty ones are left out."""
    marked = text.replace("//", "\x00")
    names = (part.strip().replace("\x00", "/") for part in marked.split("/"))
    return tuple(name for name in names if name)


def path_text(path: Iterable[str]) -> str:
    """What `read_path` reads back."""
    return "/".join(canonical(name).replace("/", "//") for name in path)


class Categories:
    """Every category by its path; a path in other capitals means the one there is."""

    def __init__(self) -> None:
        everyone = {category.pk: category for category in ItemCategory.objects.order_by("pk")}
        self._by_path: dict[Path, ItemCategory] = {}
        self._folded: dict[Path, ItemCategory] = {}
        self._paths: dict[int, Path] = {}
        for category in everyone.values():
            path = _path_of(category, everyone)
            self._remember(path, category)

    def _remember(self, path: Path, category: ItemCategory) -> None:
        path = tuple(canonical(name) for name in path)
        self._by_path[path] = category
        self._folded.setdefault(tuple(name.casefold() for name in path), category)
        self._paths[category.pk] = path

    def find(self, path: Path) -> ItemCategory | None:
        return self._by_path.get(path) or self._folded.get(tuple(name.casefold() for name in path))

    def text_of(self, category_id: int | None) -> str:
        """The path of a category as it is typed; empty for none."""
        return "" if category_id is None else path_text(self._paths.get(category_id, ()))

    def path_of(self, category_id: int) -> Path:
        return self._paths[category_id]

    def ensure(self, path: Path, *, actor: Actor) -> ItemCategory:
        """The category at the end of a path; what is missing on the way is made, in the name of the actor."""
        parent: ItemCategory | None = None
        for end in range(1, len(path) + 1):
            found = self.find(path[:end])
            if found is None:
                found = ItemCategory(name=path[end - 1], parent=parent)
                if isinstance(actor, get_user_model()):
                    found._history_user = actor  # type: ignore[attr-defined]  # read by simple_history
                found._change_reason = "import"  # type: ignore[attr-defined]
                found.save()
                self._remember(path[:end], found)
            parent = found
        assert parent is not None, "a path has at least one part"
        return parent


def _path_of(category: ItemCategory, everyone: Mapping[int, ItemCategory]) -> Path:
    names: list[str] = []
    above: ItemCategory | None = category
    seen: set[int] = set()
    while above is not None and above.pk not in seen:
        seen.add(above.pk)
        names.insert(0, above.name)
        above = everyone.get(above.parent_id) if above.parent_id else None
    return tuple(names)
