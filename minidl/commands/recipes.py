"""Options of ``minidl train`` that go well together, by the name that --recipe has for them."""

from typing import Any

# As they are typed, by the option's name in Python; docs/recipe.md tells what each part brings.
RECIPES: dict[str, dict[str, Any]] = {
    "best": {
        "layers": "800,800",
        "batch_norm": "before",
        "augment": True,
        "lr": "0.002",
        "epochs": 100,
        "validation": 0,
    }
}
