"""A start with less: what FastAPI needs for a document is made when one is asked for, and garbage collected later."""

import subprocess
import sys

from tests.service.server import ROOT

LOOK = """
import gc
import service.__main__
import fastapi.openapi.models as document
from pydantic import BaseModel

class Ours(BaseModel):
    pass

print(document.OpenAPI.__pydantic_complete__, Ours.__pydantic_complete__, gc.isenabled())
service.__main__.main(["settings"])
print(document.OpenAPI.model_validate({"openapi": "3.1.0", "info": {"title": "x", "version": "1"}}).openapi)
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def test_only_models_of_the_document_wait_and_garbage_is_collected_once_all_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True)
    first, *_, validated, last = done.stdout.splitlines()
    assert (first, validated, last) == ("False True False", "3.1.0", "True True")
