import { expect, test } from "vitest";
import { newestFirst, nothingKnown, orderOfEvent, reduce, unfinished, type Action, type Order } from "./orders";

const accepted: Order = { correlationId: "c", status: "accepted", acceptedAt: "2030-01-01T00:00:00Z" };
const completed: Order = { correlationId: "c", status: "completed", revision: 1, orderId: 1042, total: "9.99" };
const failed: Order = { correlationId: "c", status: "failed", revision: 1, reason: "ten deliveries" };

const placed = (order: Order): Action => ({ type: "placed", order });
const outcome = (order: Order): Action => ({ type: "outcome", order });
const status = (order: Order): Action => ({ type: "status", order });
const page = (orders: Order[], next?: string): Action => ({ type: "page", first: true, page: { orders, next } });
const after = (...actions: Action[]) => actions.reduce(reduce, nothingKnown);

test("an outcome decides an accepted order and keeps what is known of it", () => {
  const state = after(placed({ ...accepted, lines: [] }), outcome(completed));
  expect(state.byId["c"]).toEqual({ ...accepted, ...completed, lines: [] });
});

test("an answer to POST that is late does not undo the outcome, but adds its lines", () => {
  const state = after(outcome(completed), placed({ ...accepted, lines: [] }));
  expect(state.byId["c"]).toMatchObject({ status: "completed", orderId: 1042, lines: [] });
});

test.each([
  ["a stale list", page([accepted])],
  ["a stale status", status({ ...accepted, revision: 0 })],
  ["an older revision", outcome({ ...failed, revision: 1 })],
])("%s does not undo revision 2", (_, stale) => {
  const state = after(outcome({ ...completed, revision: 2 }), stale);
  expect(state.byId["c"]).toMatchObject({ status: "completed", revision: 2 });
});

test("a higher revision wins, and takes the old reason away", () => {
  const state = after(outcome(failed), outcome({ ...completed, revision: 2 }));
  expect(state.byId["c"]).toMatchObject({ status: "completed", orderId: 1042 });
  expect(state.byId["c"]).not.toHaveProperty("reason");
});

test("without a revision a decision does not displace one that has it", () => {
  const state = after(outcome(completed), status({ correlationId: "c", status: "failed" }));
  expect(state.byId["c"]?.status).toBe("completed");
});

test("the same news twice is news once", () => {
  const once = after(placed(accepted), outcome(completed));
  expect(reduce(once, outcome(completed))).toEqual(once);
  expect(once.news).toHaveLength(1);
});

test("news is what is decided before the customer's eyes, by push or by asking", () => {
  expect(after(page([completed])).news).toEqual([]);
  expect(after(outcome(completed)).news).toHaveLength(1);
  expect(after(placed(accepted), status(completed)).news).toHaveLength(1);
});

test("dismissed news is gone; the order stays", () => {
  const state = after(outcome(completed), { type: "dismissed", correlationId: "c" });
  expect(state.news).toEqual([]);
  expect(state.byId["c"]).toBeDefined();
});

test("only the last three pieces of news are kept", () => {
  const state = after(...["1", "2", "3", "4"].map((id) => outcome({ ...completed, correlationId: id })));
  expect(state.news.map((order) => order.correlationId)).toEqual(["2", "3", "4"]);
});

test("newest first; what has no time yet is newest", () => {
  const at = (correlationId: string, acceptedAt?: string): Order => ({ correlationId, status: "accepted", acceptedAt });
  const state = after(page([at("old", "2030-01-01T00:00:00Z"), at("new", "2030-01-02T00:00:00Z"), at("now")]));
  expect(newestFirst(state).map((order) => order.correlationId)).toEqual(["now", "new", "old"]);
});

test("unfinished orders are the accepted ones", () => {
  const state = after(placed(accepted), outcome({ ...completed, correlationId: "d" }));
  expect(unfinished(state).map((order) => order.correlationId)).toEqual(["c"]);
});

test("asking for page 1 again keeps the place further down", () => {
  const more: Action = { type: "page", first: false, page: { orders: [], next: "p3" } };
  expect(after(page([completed], "p2"), more, page([completed], "p2")).next).toBe("p3");
});

test("a page 1 that no longer touches what is shown takes the place back", () => {
  const unknown = { ...completed, correlationId: "z" };
  expect(after(page([completed]), page([unknown], "p2")).next).toBe("p2");
});

test("a first page is not mistaken for a second by an order placed before it came", () => {
  expect(after(placed(accepted), page([accepted], "p2")).next).toBe("p2");
});

test("a failed list keeps the orders, and an answer takes the failure back", () => {
  const down = after(page([completed]), { type: "unavailable", why: "away" });
  expect(down).toMatchObject({ unavailable: "away", byId: { c: completed } });
  expect(reduce(down, page([])).unavailable).toBeUndefined();
});

test("partial lasts until page 1 is whole again", () => {
  const partial = after({ type: "page", first: true, page: { orders: [], partial: true } });
  expect(partial.partial).toBe(true);
  expect(reduce(partial, { type: "page", first: false, page: { orders: [] } }).partial).toBe(true);
  expect(reduce(partial, page([])).partial).toBe(false);
});

test("an event becomes the order it speaks of", () => {
  expect(orderOfEvent({ specversion: "1.0", data: completed })).toEqual(completed);
});

test.each([null, undefined, {}, { data: null }, { data: { correlationId: "c" } }, { data: { ...completed, status: "odd" } }])(
  "%j is no event this page can read",
  (event) => expect(orderOfEvent(event)).toBeUndefined(),
);
