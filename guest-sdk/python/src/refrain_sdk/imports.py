"""The door to the host of a component: between the SDK's own types and the bindings of `wit/`.

`wit_world` is made by componentize-py while it builds, and is found in a component alone.
"""

from __future__ import annotations

from typing import Any

from componentize_py_types import Err, Ok
from wit_world.exports import definition
from wit_world.imports import activity, child, context, control, external, log, messages, timer, types, version, wait

from . import wire
from .workflows import Description, MessageDescription

_KINDS: dict[wire.Kind, Any] = {
    "application": types.FailureKind.APPLICATION,
    "canceled": types.FailureKind.CANCELED,
    "timeout": types.FailureKind.TIMEOUT,
    "terminated": types.FailureKind.TERMINATED,
    "host": types.FailureKind.HOST,
    "other": types.FailureKind.OTHER,
}
_KIND_NAMES = {kind: name for name, kind in _KINDS.items()}
_LEVELS = {level.name.lower(): level for level in log.Level}


def _enum(of: Any, name: str) -> Any:
    """The case of an enum of `wit/`, by the name that it has there."""
    return of[name.upper().replace("-", "_")]


def _duration(nanoseconds: int) -> Any:
    return types.Duration(*divmod(nanoseconds, wire.NANOSECONDS))


def _optional_duration(nanoseconds: int | None) -> Any:
    return None if nanoseconds is None else _duration(nanoseconds)


def _payload(payload: wire.Payload) -> Any:
    return types.Payload(payload.content_type, payload.data)


def _optional_payload(payload: wire.Payload | None) -> Any:
    return None if payload is None else _payload(payload)


def _named(named: wire.Named) -> Any:
    return [(key, _payload(value)) for key, value in named]


def read_payload(payload: Any) -> wire.Payload:
    """A payload as the SDK knows it."""
    return wire.Payload(payload.data, payload.content_type)


def _read_optional_payload(payload: Any) -> wire.Payload | None:
    return None if payload is None else read_payload(payload)


def _failure(failure: wire.FailureRecord) -> Any:
    top = failure.top
    causes = [
        types.Cause(_KINDS[cause.kind], cause.error_type, cause.message, cause.stack, _optional_payload(cause.details))
        for cause in failure.causes
    ]
    return types.Failure(
        kind=_KINDS[top.kind],
        error_type=top.error_type,
        message=top.message,
        stack=top.stack,
        details=_optional_payload(top.details),
        non_retryable=failure.non_retryable,
        causes=causes,
    )


def _read_cause(cause: Any) -> wire.Cause:
    details = _read_optional_payload(cause.details)
    return wire.Cause(_KIND_NAMES[cause.kind], cause.error_type, cause.message, cause.stack, details)


def _read_failure(failure: Any) -> wire.FailureRecord:
    # Its own level has the fields of a cause.
    causes = tuple(_read_cause(cause) for cause in failure.causes)
    return wire.FailureRecord(_read_cause(failure), failure.non_retryable, causes)


def _outcome(outcome: wire.Outcome) -> Any:
    return Ok(_payload(outcome)) if isinstance(outcome, wire.Payload) else Err(_failure(outcome))


def _read_outcome(outcome: Any) -> wire.Outcome:
    return read_payload(outcome.value) if isinstance(outcome, Ok) else _read_failure(outcome.value)


def _retry(retry: wire.RetryPolicy | None) -> Any:
    if retry is None:
        return None
    return types.RetryPolicy(
        initial_interval=_duration(retry.initial_interval),
        backoff_coefficient=retry.backoff_coefficient,
        maximum_interval=_optional_duration(retry.maximum_interval),
        maximum_attempts=retry.maximum_attempts,
        non_retryable_error_types=list(retry.non_retryable_error_types),
        more=_named(retry.more),
    )


def _activity_options(options: wire.ActivityOptions) -> Any:
    return activity.Options(
        task_queue=options.task_queue,
        schedule_to_close_timeout=_optional_duration(options.schedule_to_close_timeout),
        schedule_to_start_timeout=_optional_duration(options.schedule_to_start_timeout),
        start_to_close_timeout=_optional_duration(options.start_to_close_timeout),
        heartbeat_timeout=_optional_duration(options.heartbeat_timeout),
        retry=_retry(options.retry),
        cancellation=_enum(activity.Cancellation, options.cancellation),
        priority=options.priority,
        summary=options.summary,
        more=_named(options.more),
    )


def _child_options(options: wire.ChildOptions) -> Any:
    return child.Options(
        workflow_id=options.workflow_id,
        id_reuse=_enum(child.IdReusePolicy, options.id_reuse),
        component=options.component,
        task_queue=options.task_queue,
        execution_timeout=_optional_duration(options.execution_timeout),
        run_timeout=_optional_duration(options.run_timeout),
        retry=_retry(options.retry),
        parent_close=_enum(child.ParentClosePolicy, options.parent_close),
        cancellation=_enum(child.Cancellation, options.cancellation),
        memo=_named(options.memo),
        summary=options.summary,
        more=[],
    )


def _target(target: wire.Target) -> Any:
    return types.Execution(target.workflow_id, target.run_id)


def _read_target(execution: Any) -> wire.Target | None:
    return None if execution is None else wire.Target(execution.workflow_id, execution.run_id)


def _read_instant(instant: Any) -> int:
    return int(instant.seconds) * wire.NANOSECONDS + int(instant.nanoseconds)


def _read_event(event: Any) -> wire.Event:
    if isinstance(event, wait.Event_Finished):
        return wire.Finished(event.value.op, _read_outcome(event.value.outcome))
    message = event.value.value
    match event.value:
        case messages.Message_Signal():
            return wire.SignalMessage(message.name, read_payload(message.input))
        case messages.Message_Update():
            return wire.UpdateMessage(message.request, message.update_id, message.name, read_payload(message.input))
        case messages.Message_Query():
            return wire.QueryMessage(message.request, message.name, read_payload(message.input))
        case messages.Message_CancelRequested():
            return wire.CancelMessage(message.reason)
        case _:
            return wire.OtherMessage(message.kind)


def completion(ended: wire.Completion) -> Any:
    """How a run ended, as `run` returns it."""
    match ended:
        case wire.Completed():
            return types.Completion_Completed(_payload(ended.output))
        case wire.Failed():
            return types.Completion_Failed(_failure(ended.failure))
        case wire.EndedCanceled():
            return types.Completion_Canceled(_optional_payload(ended.details))
        case wire.NextRun():
            unread = [types.UnreadSignal(signal.name, _payload(signal.input)) for signal in ended.unread]
            next_run = types.NextRun(
                workflow=ended.workflow,
                input=_payload(ended.input),
                newest_version=ended.newest_version,
                run_timeout=_optional_duration(ended.run_timeout),
                unread=unread,
                more=[],
            )
            return types.Completion_ContinueAsNew(next_run)


def _message_type(message: MessageDescription) -> Any:
    return definition.MessageType(message.name, message.doc, message.input_schema, message.output_schema)


def manifest(sdk: str, workflows: list[Description]) -> Any:
    """What `describe` returns."""

    def describe(workflow: Description) -> Any:
        return definition.WorkflowType(
            name=workflow.name,
            doc=workflow.doc,
            input_schema=workflow.input_schema,
            output_schema=workflow.output_schema,
            signals=[_message_type(message) for message in workflow.signals],
            queries=[_message_type(message) for message in workflow.queries],
            updates=[_message_type(message) for message in workflow.updates],
            on_trap=_enum(definition.OnTrap, workflow.on_trap),
            more=[],
        )

    return definition.Manifest(sdk, [describe(workflow) for workflow in workflows])


class Imports:
    """The host of a component."""

    def start_activity(self, name: str, input: wire.Payload, options: wire.ActivityOptions) -> int:  # noqa: A002
        """`activity.start`."""
        return int(activity.start(name, _payload(input), _activity_options(options)))

    def start_local_activity(self, name: str, input: wire.Payload, options: wire.ActivityOptions) -> int:  # noqa: A002
        """`activity.start-local`."""
        return int(activity.start_local(name, _payload(input), _activity_options(options)))

    def start_timer(self, nanoseconds: int, summary: str | None) -> int:
        """`timer.start`."""
        return int(timer.start(_duration(nanoseconds), summary))

    def start_child(self, workflow: str, input: wire.Payload, options: wire.ChildOptions) -> tuple[int, int]:  # noqa: A002
        """`child.start`."""
        ops = child.start(workflow, _payload(input), _child_options(options))
        return ops.started, ops.finished

    def signal_external(self, target: wire.Target, name: str, input: wire.Payload) -> int:  # noqa: A002
        """`external.signal`."""
        return int(external.signal(_target(target), name, _payload(input)))

    def cancel_external(self, target: wire.Target, reason: str) -> int:
        """`external.request-cancel`."""
        return int(external.request_cancel(_target(target), reason))

    def next(self) -> list[wire.Event]:
        """`wait.next`, of everything."""
        return [_read_event(event) for event in wait.next(wait.Interest_Everything())]

    def cancel(self, op: int, reason: str) -> None:
        """`wait.cancel`."""
        wait.cancel(op, reason)

    def detach(self, op: int) -> None:
        """`wait.detach`."""
        wait.detach(op)

    def accept(self, update: int) -> None:
        """`messages.accept`."""
        messages.accept(update)

    def reject(self, update: int, reason: wire.FailureRecord) -> None:
        """`messages.reject`."""
        messages.reject(update, _failure(reason))

    def complete(self, update: int, answer: wire.Outcome) -> None:
        """`messages.complete`."""
        messages.complete(update, _outcome(answer))

    def answer(self, query: int, answer: wire.Outcome) -> None:
        """`messages.answer`."""
        messages.answer(query, _outcome(answer))

    def finish(self, ended: wire.Completion) -> None:
        """`control.finish`."""
        control.finish(completion(ended))

    def info(self) -> wire.RunInfo:
        """`context.info`."""
        info = context.info()
        return wire.RunInfo(
            namespace=info.namespace,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            first_run_id=info.first_run_id,
            continued_run_id=info.continued_run_id,
            workflow=info.workflow,
            task_queue=info.task_queue,
            attempt=info.attempt,
            last_failure=None if info.last_failure is None else _read_failure(info.last_failure),
            started_at=_read_instant(info.started_at),
            parent=_read_target(info.parent),
            root=_read_target(info.root),
            journal_entries=info.journal_entries,
            journal_bytes=info.journal_bytes,
            continue_as_new_suggested=info.continue_as_new_suggested,
        )

    def now(self) -> int:
        """`context.now`."""
        return _read_instant(context.now())

    def random_bytes(self, length: int) -> bytes:
        """`context.random-bytes`."""
        return bytes(context.random_bytes(length))

    def uuid(self) -> str:
        """`context.uuid`."""
        return str(context.uuid())

    def patched(self, id: str) -> bool:  # noqa: A002
        """`version.patched`."""
        return bool(version.patched(id))

    def get_version(self, id: str, minimum: int, maximum: int) -> int:  # noqa: A002
        """`version.get-version`."""
        return int(version.get_version(id, minimum, maximum))

    def log(self, level: wire.Level, message: str, fields: list[tuple[str, str]]) -> None:
        """`log.write`."""
        log.write(_LEVELS[level], message, [log.Field(key, value) for key, value in fields])
