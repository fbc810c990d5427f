"""Write a model's preset as a TOML file, which `loader` reads."""

import json
from typing import Any, cast

from .schema import ModelPreset


def to_toml(preset: ModelPreset) -> str:
    """Write a preset as TOML. Strings, numbers and booleans of JSON are valid TOML."""
    data = preset.model_dump(mode="json", exclude={"name", "latent_rgb"}, exclude_defaults=True)
    if preset.latent_rgb is not None:
        data["latent_rgb"] = preset.latent_rgb.model_dump(mode="json")
    return "\n".join(["# Made by: fanslymotion models use", *_table("", data)]) + "\n"


def _table(name: str, table: dict[str, Any]) -> list[str]:
    """Write a table, and those inside it behind it."""
    plain = [_line(key, value) for key, value in table.items() if not isinstance(value, dict)]
    lines = ["", f"[{name}]", *plain] if name and plain else plain
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _table(f"{name}.{key}" if name else key, cast("dict[str, Any]", value))
    return lines


def _line(key: str, value: Any) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
