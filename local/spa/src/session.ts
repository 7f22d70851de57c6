/** Everything that goes on while one customer is signed in. */
import { Api } from "./api";
import type { Auth, Customer } from "./auth";
import { parseBasket, without, type Basket } from "./basket";
import { Checkout } from "./checkout";
import { Hub } from "./hub";
import { nothingKnown, reduce, unfinished, type Action, type Order, type OrdersState } from "./orders";
import { Store } from "./store";

const askEveryMs = 30_000;
const basketKey = "contoso-orders:basket";

export class Session {
  readonly orders = new Store<OrdersState>(nothingKnown);
  /** This tab's; it survives a reload. */
  readonly basket = new Store<Basket>(parseBasket(sessionStorage.getItem(basketKey)));
  readonly hub: Hub;
  readonly checkout: Checkout;
  readonly #api: Api;
  /** Carries orders just accepted to the customer's other tabs. */
  readonly #tabs: BroadcastChannel;
  #asking: Promise<void> | undefined;
  #askAgain = false;
  #timer: number | undefined;

  constructor(auth: Auth, customer: Customer) {
    this.#api = new Api(auth);
    this.#tabs = new BroadcastChannel(`contoso-orders:${customer.sub}`);
    this.#tabs.onmessage = ({ data }: MessageEvent<Order>) => this.#dispatch({ type: "placed", order: data });
    this.checkout = new Checkout(this.#api, customer, (order) => this.#placed(order));
    this.hub = new Hub({
      accessToken: () => auth.accessToken(),
      outcome: (order) => this.#dispatch({ type: "outcome", order }),
      missed: () => void this.refresh(),
    });
  }

  start(): void {
    this.hub.start();
    void this.refresh();
    this.#timer = window.setInterval(() => {
      // Also while live: a push may be lost, and only a later one would show it.
      if (unfinished(this.orders.get()).length > 0) void this.refresh();
    }, askEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.checkout.cancel();
    this.hub.stop();
    this.#tabs.close();
  }

  /** Asks for page 1 and whatever unfinished order it lacks; one round at a time. */
  refresh(): Promise<void> {
    this.#askAgain = this.#asking !== undefined;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
      if (this.#askAgain) void this.refresh();
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const page = await this.#api.orders();
      this.#dispatch({ type: "page", page, first: true });
      const listed = new Set(page.orders.map((order) => order.correlationId));
      for (const { correlationId } of unfinished(this.orders.get())) {
        if (!listed.has(correlationId)) await this.details(correlationId).catch(() => {});
      }
    } catch (error) {
      this.#dispatch({ type: "unavailable", why: (error as Error).message });
    }
  }

  async more(): Promise<void> {
    try {
      const page = await this.#api.orders(this.orders.get().next);
      this.#dispatch({ type: "page", page, first: false });
    } catch (error) {
      this.#dispatch({ type: "unavailable", why: (error as Error).message });
    }
  }

  async details(correlationId: string): Promise<void> {
    this.#dispatch({ type: "status", order: await this.#api.order(correlationId) });
  }

  dismiss(correlationId: string): void {
    this.#dispatch({ type: "dismissed", correlationId });
  }

  editBasket(edit: (basket: Basket) => Basket): void {
    this.basket.set(edit(this.basket.get()));
    sessionStorage.setItem(basketKey, JSON.stringify(this.basket.get()));
    this.checkout.dismiss();
  }

  #placed(order: Order): void {
    this.editBasket((basket) => without(basket, order.lines ?? []));
    this.#dispatch({ type: "placed", order });
    this.#tabs.postMessage(order);
  }

  #dispatch(action: Action): void {
    this.orders.set(reduce(this.orders.get(), action));
  }
}
