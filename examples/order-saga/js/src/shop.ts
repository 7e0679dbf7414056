/**
 * The shop's services, as activities of the host's `http` plugin: what is asked of them, and how patiently.
 *
 * Each request carries an `Idempotency-Key` that is the same for all attempts, which the plugin sees to; so a repeated
 * request is answered as the first was, and has no second effect.
 */
import { activity, Failure, type ActivityOptions } from "refrain-sdk";
import type { Order } from "./order";

/** What does not work soon is undone. */
const RESERVE: ActivityOptions = {
  startToClose: "5s",
  retry: { initialInterval: "100ms", maximumInterval: "1s", maximumAttempts: 5 },
};

/** Payment services are away for longer, and say so with `Retry-After`, which is honoured whatever stands here. */
const CHARGE: ActivityOptions = {
  startToClose: "15s",
  retry: { initialInterval: "200ms", maximumInterval: "10s", maximumAttempts: 6 },
};

/** What has not been answered by then will not be: better to ask again. */
const SHIP: ActivityOptions = {
  startToClose: "2s",
  retry: { initialInterval: "100ms", maximumInterval: "5s", maximumAttempts: 4 },
};

/**
 * What must not stay half done is tried as long as there is hope, and then it is for people: meanwhile what was done
 * before it waits to be undone.
 */
const RELEASE: ActivityOptions = {
  startToClose: "5s",
  scheduleToClose: "3d",
  retry: { initialInterval: "100ms", maximumInterval: "1m" },
};

/** Money is what customers forgive last. */
const REFUND: ActivityOptions = {
  startToClose: "15s",
  scheduleToClose: "7d",
  retry: { initialInterval: "100ms", maximumInterval: "5m" },
};

/** A parcel that is under way for longer is beyond recall, and the money waits behind it. */
const CALL_BACK: ActivityOptions = {
  startToClose: "10s",
  scheduleToClose: "6h",
  retry: { initialInterval: "100ms", maximumInterval: "1m" },
};

/** The shop, for one order. */
export class Shop {
  constructor(private readonly order: Order) {}

  reserve() {
    const { sku, quantity } = this.order;
    return this.ask<{ left: number }>("reservations", { sku, quantity }, RESERVE);
  }

  release() {
    return this.request("DELETE", "reservations", undefined, RELEASE);
  }

  charge() {
    const { customer, cents } = this.order;
    return this.ask<{ balance: number }>("charges", { customer, cents }, CHARGE);
  }

  refund() {
    return this.request("DELETE", "charges", undefined, REFUND);
  }

  ship() {
    return this.ask<{ tracking: string }>("shipments", {}, SHIP);
  }

  callBack() {
    return this.request("DELETE", "shipments", undefined, CALL_BACK);
  }

  /** A step's answer. When the run is to end, the step is given up; what it has done by then is undone. */
  private async ask<T>(what: string, body: object, options: ActivityOptions): Promise<T> {
    try {
      const response = await this.request<T>("PUT", what, body, { ...options, cancelWithRun: true });
      return response.body;
    } catch (error) {
      throw error instanceof Failure ? inItsOwnWords(error) : error;
    }
  }

  private request<T>(method: string, what: string, body: object | undefined, options: ActivityOptions) {
    const url = `${this.order.shop}/${what}/${this.order.number}`;
    return activity<{ body: T }>(
      "http.request",
      { method, url, body },
      { ...(options as ActivityOptions<{ body: T }>), summary: `${method} ${what}` },
    );
  }
}

/**
 * The plugin says which status was answered, and has the body among the details: the shop's own reason is the end of the
 * chain.
 */
function inItsOwnWords(failure: Failure): Failure {
  const reason = (failure.details as { body?: { error?: string } } | undefined)?.body?.error;
  return reason === undefined ? failure : failure.causedBy(new Failure(reason));
}
