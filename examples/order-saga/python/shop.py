"""The shop's services, as activities of the host's `http` plugin: what is asked of them, and how patiently.

Each request carries an `Idempotency-Key` that is the same for all attempts, which the plugin sees to; so a repeated
request is answered as the first was, and has no second effect.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from refrain_sdk import Activity, Failure, Retry, activity, days, hours, millis, mins, secs

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often and for how long something is tried."""

    attempt: timedelta
    """For one answer."""
    first_interval: timedelta
    """From the first failure to the second attempt; each interval is twice the one before."""
    longest_interval: timedelta
    attempts: int = 0
    """What does not work soon is undone."""
    at_most: timedelta | None = None
    """What must not stay half done is tried as long as there is hope, and then it is for people."""


RESERVE = Patience(secs(5), millis(100), secs(1), attempts=5)
# Payment services are away for longer, and say so with `Retry-After`, which is honoured whatever stands here.
CHARGE = Patience(secs(15), millis(200), secs(10), attempts=6)
# What has not been answered by then will not be: better to ask again.
SHIP = Patience(secs(2), millis(100), secs(5), attempts=4)
RELEASE = Patience(secs(5), millis(100), mins(1), at_most=days(3))
# Money is what customers forgive last.
REFUND = Patience(secs(15), millis(100), mins(5), at_most=days(7))
# A parcel that is under way for longer is beyond recall, and the money waits behind it.
CALL_BACK = Patience(secs(10), millis(100), mins(1), at_most=hours(6))


@dataclass
class Response(Generic[T]):
    """What the `http` plugin answers of a request that went well."""

    body: T


@dataclass
class Reserved:
    """How many more there are."""

    left: int


@dataclass
class Charged:
    """What the customer has left, in cents."""

    balance: int


@dataclass
class Shipped:
    """By what the parcel is known."""

    tracking: str


@dataclass
class Refusal:
    """What the shop says when it does not."""

    error: str


class Shop:
    """The shop, for one order. Steps are given up when the run is to end; what undoes them is not."""

    def __init__(self, url: str, number: str) -> None:
        self._url = url
        self._number = number

    async def reserve(self, sku: str, quantity: int) -> int:
        """How many more there are."""
        answer = await self._put("reservations", {"sku": sku, "quantity": quantity}, RESERVE, Response[Reserved])
        return answer.left

    def release(self) -> Activity[Any]:
        """Undoes :meth:`reserve`."""
        return self._request("DELETE", "reservations", RELEASE)

    async def charge(self, customer: str, cents: int) -> int:
        """What the customer has left, in cents."""
        answer = await self._put("charges", {"customer": customer, "cents": cents}, CHARGE, Response[Charged])
        return answer.balance

    def refund(self) -> Activity[Any]:
        """Undoes :meth:`charge`."""
        return self._request("DELETE", "charges", REFUND)

    async def ship(self) -> str:
        """By what the parcel is known."""
        answer = await self._put("shipments", {}, SHIP, Response[Shipped])
        return answer.tracking

    def call_back(self) -> Activity[Any]:
        """Undoes :meth:`ship`."""
        return self._request("DELETE", "shipments", CALL_BACK)

    async def _put(self, what: str, body: dict[str, Any], patience: Patience, result: type[Response[T]]) -> T:
        try:
            response = await self._request("PUT", what, patience, body=body, result=result, cancel_with_run=True)
        except Failure as failure:
            # The plugin says which status was answered, and has the body among the details: the shop's own reason is
            # the end of the chain.
            details = failure.details_as(Response[Refusal])
            if details is not None:
                failure.caused_by(Failure(details.body.error))
            raise
        answer: T = response.body
        return answer

    def _request(
        self, method: str, what: str, patience: Patience, *, body: Any = None, **options: Any
    ) -> Activity[Any]:
        request = {"method": method, "url": f"{self._url}/{what}/{self._number}"}
        return activity(
            "http.request",
            request if body is None else {**request, "body": body},
            start_to_close=patience.attempt,
            schedule_to_close=patience.at_most,
            retry=Retry(
                initial_interval=patience.first_interval,
                maximum_interval=patience.longest_interval,
                maximum_attempts=patience.attempts,
            ),
            summary=f"{method} {what}",
            **options,
        )
