/**
 * An order: reserve the goods, charge the customer, ship. What cannot be finished is undone, the last step first.
 *
 * It needs the host's `http` plugin, with leave to reach the shop; `service/` is a shop to try it with.
 */
import { context, log, s, saga, workflow, type Infer } from "refrain-sdk";
import { Shop } from "./shop";

export const Order = s.object({
  number: s.string("The order's number, which the shop's services know it by."),
  customer: s.string("Whose account is charged."),
  sku: s.string("What is ordered."),
  quantity: s.natural("How many of it."),
  cents: s.natural("What they cost together, in cents."),
  shop: s.string("Where the shop's services are, such as `http://127.0.0.1:8080`."),
});
export type Order = Infer<typeof Order>;

const Receipt = s.object({
  number: s.string("The order's number."),
  cents: s.natural("What was charged, in cents."),
  tracking: s.string("By what the parcel is known to who carries it."),
});

/**
 * Each compensation is registered before its step. A step that failed may have had its effect all the same, when its
 * answer was lost or came too late; so its compensation runs too, and the shop makes nothing of undoing nothing.
 */
export const order = workflow(
  { name: "order", doc: "Reserves, charges and ships an order, or does none of it.", input: Order, output: Receipt },
  (order) =>
    saga(`order \`${order.number}\``, async (saga) => {
      const shop = new Shop(order);

      saga.undo("release the goods", () => shop.release());
      const { left } = await context("reserve the goods", shop.reserve());
      log.info(`reserved ${order.quantity} of \`${order.sku}\``, { left });

      saga.undo("refund the customer", () => shop.refund());
      const { balance } = await context("charge the customer", shop.charge());
      log.info(`charged \`${order.customer}\``, { balance });

      saga.undo("call the parcel back", () => shop.callBack());
      const { tracking } = await context("ship the goods", shop.ship());
      log.info("shipped", { tracking });

      return { number: order.number, cents: order.cents, tracking };
    }),
);
