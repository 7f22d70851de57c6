/**
 * Placing an order exactly once over an unreliable line. An attempt is a body and its
 * idempotency key; both are kept, over reloads too, until the shop has answered for good, so
 * however often it is sent, the shop takes it once.
 */
import { Problem, type Api, type NewOrder } from "./api";
import type { Customer } from "./auth";
import { orderOf, type Basket } from "./basket";
import { decimalString, totalOf } from "./money";
import type { Order } from "./orders";
import { JitteredRetry } from "./retry";
import { Store } from "./store";

export type CheckoutState =
  | { phase: "idle" }
  | { phase: "sending" }
  | { phase: "waiting"; problem: Problem; retryAt: number }
  | { phase: "refused"; problem: Problem }
  | { phase: "accepted"; order: Order };

interface Attempt {
  key: string;
  body: string;
}

/** Keys belong to a customer: whoever signs in next must not send this one's. */
const storageKeyOf = (customer: Customer) => `contoso-orders:attempt:${customer.sub}`;

export class Checkout {
  readonly state = new Store<CheckoutState>({ phase: "idle" });
  readonly #api: Pick<Api, "place">;
  readonly #storageKey: string;
  readonly #accepted: (order: Order) => void;
  readonly #retry = new JitteredRetry();
  #attempt: Attempt | undefined;
  #timer: number | undefined;

  constructor(api: Pick<Api, "place">, customer: Customer, accepted: (order: Order) => void) {
    this.#api = api;
    this.#storageKey = storageKeyOf(customer);
    this.#accepted = accepted;
  }

  async place(basket: Basket): Promise<void> {
    const body = JSON.stringify(orderOf(basket));
    this.#attempt = attemptFor(body, readAttempt(this.#storageKey));
    sessionStorage.setItem(this.#storageKey, JSON.stringify(this.#attempt));
    await this.retryNow();
  }

  async retryNow(): Promise<void> {
    clearTimeout(this.#timer);
    const attempt = this.#attempt;
    if (!attempt || this.state.get().phase === "sending") return;
    this.state.set({ phase: "sending" });
    try {
      const { correlationId, status } = await this.#api.place(attempt.body, attempt.key);
      this.#answered();
      const { currency, lines } = JSON.parse(attempt.body) as NewOrder;
      const total = decimalString(totalOf(lines));
      const order = { correlationId, status, currency, lines, total };
      this.#accepted(order);
      this.state.set({ phase: "accepted", order });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Stops retrying. The attempt may have been taken, so its key stays with its basket. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.state.set({ phase: "idle" });
  }

  /** What was said of the last attempt no longer fits the basket. */
  dismiss(): void {
    const { phase } = this.state.get();
    if (phase === "refused" || phase === "accepted") this.state.set({ phase: "idle" });
  }

  #failed(error: unknown): void {
    const problem = error instanceof Problem ? error : new Problem({ status: 0, title: String(error) });
    if (!problem.isTemporary) {
      this.#answered();
      this.state.set({ phase: "refused", problem });
      return;
    }
    // Never sooner than asked; without a word from the shop, a second plus the jittered backoff.
    const backoffMs = this.#retry.nextDelayMs();
    const delayMs = problem.retryAfterMs ?? 1000 + backoffMs;
    this.#timer = window.setTimeout(() => void this.retryNow(), delayMs);
    this.state.set({ phase: "waiting", problem, retryAt: Date.now() + delayMs });
  }

  #answered(): void {
    this.#attempt = undefined;
    this.#retry.reset();
    sessionStorage.removeItem(this.#storageKey);
  }
}

/** The same basket keeps its key; under a known key another basket would be refused (422). */
export function attemptFor(body: string, previous: Attempt | undefined): Attempt {
  return previous?.body === body ? previous : { key: crypto.randomUUID(), body };
}

function readAttempt(storageKey: string): Attempt | undefined {
  try {
    const { key, body } = JSON.parse(sessionStorage.getItem(storageKey) ?? "{}") as Partial<Attempt>;
    return typeof key === "string" && typeof body === "string" ? { key, body } : undefined;
  } catch {
    return undefined;
  }
}
