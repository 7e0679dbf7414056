"""{{name}}: a workflow, and what it is made of."""

from dataclasses import dataclass
from typing import Annotated

from refrain_sdk import Signal, component, hours, log, secs, select, sleep, workflow


@dataclass
class Invitation:
    """Who is invited, and how long there is to answer."""

    name: Annotated[str, "Who is invited."]
    seconds: Annotated[float, "How long there is to answer."] = hours(24).total_seconds()


ANSWER = Signal("answer", str, doc="What the guest says.")


@workflow(signals=[ANSWER])
async def {{ident}}(invitation: Invitation) -> str:
    """Invites someone and waits for the answer, however often the host is killed meanwhile."""
    log.info("invited", name=invitation.name)
    match await select(answer=ANSWER.recv(), late=sleep(secs(invitation.seconds))):
        case "answer", answer:
            log.info("answered", answer=answer)
            return f"{invitation.name} says: {answer}"
        case _:
            log.warn("no answer", seconds=invitation.seconds)
            return f"{invitation.name} did not answer"


Definition = component({{ident}})
