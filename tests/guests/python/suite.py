"""The language suite in Python: small workflows that together use all that an SDK does.

Every language that Refrain has an SDK for has a component with these workflows, and all must leave the same history.
"""

import activities
import context
import failures
import lives
import messages
from refrain_sdk import component

Definition = component(
    activities.sequence,
    activities.parallel,
    activities.fan_out,
    failures.retries,
    context.timer,
    messages.select,
    failures.saga,
    context.reads,
    context.log,
    messages.query,
    messages.update,
    lives.child,
    lives.continue_as_new,
    lives.cancel_cleanup,
    lives.patched,
    failures.bug,
)
