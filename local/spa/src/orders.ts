/**
 * What this tab knows about the customer's orders. News arrives in any order from four sides
 * (the answer to POST, the list, an order's status, the hub), so a pure reducer merges it:
 * the higher revision wins, and without revisions a decision wins over "accepted".
 */
export type Status = "accepted" | "completed" | "rejected" | "failed";

export interface Line {
  sku: string;
  quantity: number;
  unitPrice: string;
}

export interface Order {
  correlationId: string;
  status: Status;
  revision?: number;
  orderId?: number;
  reason?: string;
  currency?: string;
  lines?: readonly Line[];
  total?: string;
  acceptedAt?: string;
  completedAt?: string;
}

export interface Page {
  orders: readonly Order[];
  next?: string;
  partial?: boolean;
}

export interface OrdersState {
  byId: Readonly<Record<string, Order>>;
  /** Page 1 has been answered at least once. */
  loaded: boolean;
  /** Why the list could not be asked the last time. */
  unavailable?: string;
  /** The cursor of the page after the last one shown. */
  next?: string;
  partial: boolean;
  /** Decided before the customer's eyes and not yet dismissed, oldest first. */
  news: readonly Order[];
}

export type Action =
  | { type: "placed" | "status" | "outcome"; order: Order }
  | { type: "page"; page: Page; first: boolean }
  | { type: "unavailable"; why: string }
  | { type: "dismissed"; correlationId: string };

export const nothingKnown: OrdersState = { byId: {}, loaded: false, partial: false, news: [] };

const maxNews = 3;

export function reduce(state: OrdersState, action: Action): OrdersState {
  switch (action.type) {
    case "page":
      return withPage(state, action.page, action.first);
    case "unavailable":
      return { ...state, unavailable: action.why };
    case "dismissed":
      return { ...state, news: state.news.filter((order) => order.correlationId !== action.correlationId) };
    default:
      return learn(state, action.order, action.type === "outcome");
  }
}

function withPage(state: OrdersState, page: Page, first: boolean): OrdersState {
  const learned = page.orders.reduce((s, order) => learn(s, order, false), state);
  // Page 1 asked again must not lose the place further down, unless so much is new that it
  // no longer touches what is shown: then "More" has to fill the gap.
  const touches = page.orders.some((order) => order.correlationId in state.byId);
  return {
    ...learned,
    loaded: true,
    unavailable: undefined,
    next: first && state.loaded && touches ? state.next : page.next,
    partial: (!first && state.partial) || page.partial === true,
  };
}

function learn(state: OrdersState, told: Order, pushed: boolean): OrdersState {
  const known = state.byId[told.correlationId];
  const order = known ? merge(known, told) : told;
  const byId = { ...state.byId, [order.correlationId]: order };
  const decided = order.status !== "accepted" && order.status !== known?.status;
  if (!decided || !(known || pushed)) return { ...state, byId };
  const news = state.news.filter((o) => o.correlationId !== order.correlationId);
  return { ...state, byId, news: [...news, order].slice(-maxNews) };
}

function merge(known: Order, told: Order): Order {
  if (!supersedes(told, known)) return { ...contentOf(told), ...known };
  return { ...contentOf(known), ...told };
}

function supersedes(told: Order, known: Order): boolean {
  const theirs = told.revision;
  const ours = known.revision;
  if (theirs !== undefined && ours !== undefined && theirs !== ours) return theirs > ours;
  if (isDecided(told) !== isDecided(known)) return isDecided(told);
  return ours === undefined || theirs !== undefined;
}

const isDecided = (order: Order) => order.status !== "accepted";

/** What never changes about an order, and so may be learned from old news too. */
function contentOf({ currency, lines, total, acceptedAt }: Order): Partial<Order> {
  return defined({ currency, lines, total, acceptedAt });
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Partial<T>;
}

/** Newest first; an order whose time is not known yet has only just been accepted. */
export function newestFirst(state: OrdersState): Order[] {
  const time = (order: Order) => (order.acceptedAt ? Date.parse(order.acceptedAt) : Infinity);
  return Object.values(state.byId).sort((a, b) => {
    const [left, right] = [time(a), time(b)];
    return left === right ? b.correlationId.localeCompare(a.correlationId) : right - left;
  });
}

export function unfinished(state: OrdersState): Order[] {
  return Object.values(state.byId).filter((order) => order.status === "accepted");
}

/** The order a hub event speaks of, or undefined if this page cannot read it. */
export function orderOfEvent(event: unknown): Order | undefined {
  const data = (event as { data?: Partial<Order> } | null | undefined)?.data;
  if (typeof data?.correlationId !== "string" || !isStatus(data.status)) return undefined;
  return defined(data) as Order;
}

function isStatus(value: unknown): value is Status {
  return value === "accepted" || value === "completed" || value === "rejected" || value === "failed";
}
