"""What a module of workflows exports to componentize-py."""

from __future__ import annotations

# The standard library imports these when they are first used. In a component there are no files to import from.
import _strptime  # type: ignore[import-not-found]  # noqa: F401
import gc
import inspect
import sys
import uuid  # noqa: F401
from typing import Any

from . import bugs
from .workflows import Workflow, execute

__version__ = "0.1.0"


def component(*workflows: Workflow[Any, Any]) -> Any:
    """Make the module a component of these workflows.

    ```python
    Definition = component(hello, refund)
    ```

    The name is that of the exported interface, by which componentize-py finds it. Raises TypeError, and so fails the
    build, when two have one name or an annotation has no form in JSON. In a native process what is returned cannot run.
    """
    names = [one.name for one in workflows]
    for name in names:
        if names.count(name) > 1:
            raise TypeError(f"two workflows are named `{name}`")
    descriptions = [one.describe() for one in workflows]
    if not descriptions:
        raise TypeError("a component needs at least one workflow")
    if sys.platform != "wasi":
        return None
    from . import imports

    for one in workflows:
        bugs.remember_source(inspect.getfile(one.function))

    class Definition:
        """The export `definition` of `wit/`."""

        def describe(self) -> Any:
            return imports.manifest(f"refrain-sdk for Python {__version__}", descriptions)

        def run(self, workflow: str, input: Any) -> Any:  # noqa: A002 - the contract's word
            # The log has the traceback: what traps need not print it once more.
            sys.excepthook = lambda *_: None
            payload = imports.read_payload(input)
            return imports.completion(execute(workflows, workflow, payload, imports.Imports()))

    # What is there now is there in every instance: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return Definition
