"""Settings of a channel that stand in a row of their own, made when they are first changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from channels_sync.models import Channel, ChannelGuard, DriftSetting
from inventory.operations.posting import Actor

Setting = TypeVar("Setting", ChannelGuard, DriftSetting)


def save_settings(model: type[Setting], *, channel: Channel, values: Mapping[str, Any], actor: Actor) -> Setting:
    """Change the named settings of a channel, within the caller's transaction. Raises ValidationError for what makes no sense."""
    locked = Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)
    setting = model.objects.filter(channel=locked).first() or model(channel=locked)
    for name, value in values.items():
        setattr(setting, name, value)
    setting.full_clean()
    setting._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    setting.save()
    return setting
