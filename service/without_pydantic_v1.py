"""Imported before FastAPI, has it not load the first version of pydantic, which comes with the second.

FastAPI asks of each annotation whether it is a model of that version, and takes it for none where there is no such
module. There are none here, and the module takes 20 ms and 3 MB.
"""

import sys

sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]  # None is for what is not to be found
