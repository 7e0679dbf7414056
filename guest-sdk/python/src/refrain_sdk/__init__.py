"""Write durable workflows for Refrain as ordinary async Python; see the README."""

from . import log
from .activities import Activity, activity, local_activity
from .cancels import canceled, is_cancel_requested, or_canceled
from .children import Child, ChildStarted, child, child_watched
from .codec import strict
from .combine import join, select
from .component import __version__, component
from .conditions import wait_condition
from .durations import Duration, days, hours, millis, mins, secs
from .ends import ContinueAsNew
from .executions import Execution, Sent, external
from .failures import Canceled, Failure, HostFailure, OtherFailure, Terminated, TimedOut, context
from .handlers import all_handlers_finished
from .queries import Query
from .retries import Retry
from .run_info import Info, info, random_bytes, uuid
from .sagas import Compensated, Compensations, saga
from .scopes import CancelScope, shield
from .signals import Signal
from .timers import Sleep, now, sleep, sleep_until
from .updates import Update, UpdateInfo, current_update
from .versions import get_version, patched
from .wire import Cancellation, IdReuse, Kind, Level, OnTrap, ParentClose
from .workflows import Workflow, workflow

__all__ = [
    "Activity",
    "CancelScope",
    "Canceled",
    "Cancellation",
    "Child",
    "ChildStarted",
    "Compensated",
    "Compensations",
    "ContinueAsNew",
    "Duration",
    "Execution",
    "Failure",
    "HostFailure",
    "IdReuse",
    "Info",
    "Kind",
    "Level",
    "OnTrap",
    "OtherFailure",
    "ParentClose",
    "Query",
    "Retry",
    "Sent",
    "Signal",
    "Sleep",
    "Terminated",
    "TimedOut",
    "Update",
    "UpdateInfo",
    "Workflow",
    "__version__",
    "activity",
    "all_handlers_finished",
    "canceled",
    "child",
    "child_watched",
    "component",
    "context",
    "current_update",
    "days",
    "external",
    "get_version",
    "hours",
    "info",
    "is_cancel_requested",
    "join",
    "local_activity",
    "log",
    "millis",
    "mins",
    "now",
    "or_canceled",
    "patched",
    "random_bytes",
    "saga",
    "secs",
    "select",
    "shield",
    "sleep",
    "sleep_until",
    "strict",
    "uuid",
    "wait_condition",
    "workflow",
]
