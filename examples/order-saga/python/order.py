"""An order: reserve the goods, charge the customer, ship. What cannot be finished is undone, the last step first.

It needs the host's `http` plugin, with leave to reach the shop; `../service` is a shop to try it with.
"""

from dataclasses import dataclass
from typing import Annotated

from refrain_sdk import component, context, log, saga, strict, workflow
from shop import Shop


@strict
@dataclass
class Order:
    """What is ordered."""

    number: Annotated[str, "The order's number, which the shop's services know it by."]
    customer: Annotated[str, "Whose account is charged."]
    sku: Annotated[str, "What is ordered."]
    quantity: Annotated[int, "How many of it."]
    cents: Annotated[int, "What they cost together, in cents."]
    shop: Annotated[str, "Where the shop's services are, such as `http://127.0.0.1:8080`."]


@dataclass
class Receipt:
    """An order that was shipped."""

    number: Annotated[str, "The order's number."]
    cents: Annotated[int, "What was charged, in cents."]
    tracking: Annotated[str, "By what the parcel is known to who carries it."]


@workflow
async def order(order: Order) -> Receipt:
    """Reserves, charges and ships an order, or does none of it.

    Each compensation is registered before its step. A step that failed may have had its effect all the same, when its
    answer was lost or came too late; so its compensation runs too, and the shop makes nothing of undoing nothing.
    """
    shop = Shop(order.shop, order.number)
    async with saga(f"order `{order.number}`") as steps:
        steps.undo("release the goods", shop.release)
        with context("reserve the goods"):
            left = await shop.reserve(order.sku, order.quantity)
        log.info(f"reserved {order.quantity} of `{order.sku}`", left=left)

        steps.undo("refund the customer", shop.refund)
        with context("charge the customer"):
            balance = await shop.charge(order.customer, order.cents)
        log.info(f"charged `{order.customer}`", balance=balance)

        steps.undo("call the parcel back", shop.call_back)
        with context("ship the goods"):
            tracking = await shop.ship()
        log.info("shipped", tracking=tracking)
    return Receipt(order.number, order.cents, tracking)


Definition = component(order)
