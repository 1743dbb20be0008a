"""Imported before FastAPI, has a start take a tenth of a second and 5 MB less."""

import gc
import sys
from importlib import import_module
from typing import Any

from pydantic import BaseModel

gc.disable()  # nothing that is imported is garbage
# FastAPI asks of each annotation whether it is a model of pydantic's first version, which comes with the second, and
# takes it for none where there is no such module. There are none here.
modules: dict[str, Any] = sys.modules
modules.setdefault("pydantic.v1", None)  # which is for what is not to be found
# FastAPI's models of an OpenAPI document get their validators when one is asked for.
BaseModel.model_config["defer_build"] = True
try:
    import_module("fastapi.openapi.models")
finally:
    del BaseModel.model_config["defer_build"]


def all_is_imported() -> None:
    """Has garbage be looked for again, but for what was imported, which stays."""
    gc.freeze()
    gc.enable()
