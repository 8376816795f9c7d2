"""How many random histories a property is tried on: few by default, 200 or more where there is time."""

import os

THOROUGH = 200


def histories(variable, *, usual):
    """The number in an environment variable, else 200 with BACKFLUSH_THOROUGH, else `usual`."""
    return int(os.environ.get(variable) or (THOROUGH if os.environ.get("BACKFLUSH_THOROUGH") else usual))
