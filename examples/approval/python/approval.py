"""Waits for a person's approval.

Who is asked first is reminded until a second person is asked as well, and what nobody decides in time has expired.
Whoever may send signals may send this one, too early, too late, or without being asked; so the workflow looks at each
decision and says in its log why it does not count.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Literal

from refrain_sdk import Query, Signal, component, days, hours, log, millis, or_canceled, select, sleep, strict, workflow


def _milliseconds(hours_: float) -> int:
    return int(hours(hours_) / millis(1))


@strict
@dataclass
class Request:
    """What is asked, and how long people have."""

    what: Annotated[str, "What is to be approved."]
    approver: Annotated[str, "Who is asked first."]
    escalate_to: Annotated[str, "Who is asked as well when the first one does not decide."]
    remind_every_ms: Annotated[int, "Milliseconds from one reminder to the next."] = _milliseconds(2)
    escalate_after_ms: Annotated[int, "Milliseconds until the second one is asked."] = _milliseconds(8)
    expire_after_ms: Annotated[int, "Milliseconds until it is too late."] = int(days(1) / millis(1))


@strict
@dataclass
class Decision:
    """What someone has decided."""

    by: Annotated[str, "Who decides."]
    approved: Annotated[bool, "Whether it may be done."]
    comment: Annotated[str, "What there is to say about it."] = ""


@dataclass
class Decided:
    """Somebody has decided."""

    decided: Decision


@dataclass
class State:
    """How far it is."""

    stage: Annotated[Literal["waiting", "expired"] | Decided, "Expired: nobody decided in time."]
    asked: Annotated[list[str], "Whose decision counts."]
    reminders: Annotated[int, "How often they were reminded."] = 0
    ignored: Annotated[int, "How many decisions did not count: of others, or too late."] = 0

    def ignore(self, decision: Decision, why: str) -> None:
        """The decision does not count."""
        log.warn(f"the decision of {decision.by} does not count: {why}", approved=decision.approved)
        self.ignored += 1


DECIDE = Signal("decide", Decision, doc="A decision of one of those who are asked.")
STATE = Query("state", State, doc="How far it is, and who is asked.")


@workflow(signals=[DECIDE], queries=[STATE])
async def approval(request: Request) -> State:
    """Asks for an approval until there is one, or it is too late."""
    state = State("waiting", [request.approver])
    STATE.handle(lambda: state)
    log.info(f"{request.approver} is asked: {request.what}")
    try:
        decided = await or_canceled(asyncio.wait_for(decision(request, state), request.expire_after_ms / 1_000))
        log.info(f"{decided.by} has decided", approved=decided.approved)
        state.stage = Decided(decided)
    except TimeoutError:
        log.warn("too late")
        state.stage = "expired"
    # Of what comes later the sender hears: the run is over. What came with the last event is told here.
    for late in DECIDE.drain():
        state.ignore(late, "it comes too late")
    return state


async def decision(request: Request, state: State) -> Decision:
    """The first decision that counts. Whoever is slow loses nothing but the right to be the only one."""
    try:
        return await asyncio.wait_for(ask(request, state), request.escalate_after_ms / 1_000)
    except TimeoutError:
        log.warn(f"{request.approver} does not answer, so {request.escalate_to} is asked too")
        state.asked.append(request.escalate_to)
        return await ask(request, state)


async def ask(request: Request, state: State) -> Decision:
    """Reminds those who are asked until one of them decides."""
    every = millis(request.remind_every_ms)
    reminder = sleep(every, request.what)
    while True:
        # The shield: decisions that do not count put no reminder off.
        match await select(decision=DECIDE.recv(), remind=asyncio.shield(reminder)):
            case "decision", Decision() as decided:
                if decided.by in state.asked:
                    reminder.cancel()
                    return decided
                state.ignore(decided, "nobody has asked them")
            case _:
                state.reminders += 1
                asked = " or ".join(state.asked)
                log.info(f"{asked}, remember: {request.what}", reminder=state.reminders)
                reminder = sleep(every, request.what)


Definition = component(approval)
