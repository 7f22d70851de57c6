import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "./api";
import { Checkout, attemptFor } from "./checkout";
import type { Order } from "./orders";

const basket = [{ sku: "BEANS-1", quantity: 1 }];
const customer = { sub: "ada", name: "Ada" };
const accepted: Order = { correlationId: "c", status: "accepted" };
const busy = new Problem({ status: 503, title: "Busy", retryAfterMs: 3000 });

beforeEach(() => {
  vi.useFakeTimers();
  const stored = new Map<string, string>();
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A shop that gives these answers in turn, and remembers the keys it was shown. */
function shop(...answers: (Order | Error)[]) {
  const keys: string[] = [];
  const place = async (_body: string, key: string) => {
    keys.push(key);
    const answer = answers.shift();
    if (!answer || answer instanceof Error) throw answer;
    return answer;
  };
  return { keys, place };
}

test("a busy shop is asked again with the same key, not before Retry-After", async () => {
  const api = shop(busy, accepted);
  const taken = vi.fn();
  const checkout = new Checkout(api, customer, taken);
  await checkout.place(basket);
  expect(checkout.state.get()).toMatchObject({ phase: "waiting", retryAt: Date.now() + 3000 });
  await vi.advanceTimersByTimeAsync(2999);
  expect(api.keys).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(checkout.state.get().phase).toBe("accepted");
  expect(new Set(api.keys).size).toBe(1);
  expect(taken).toHaveBeenCalledOnce();
});

test("a cancelled attempt keeps its key for the same basket, over a reload too", async () => {
  const api = shop(busy, accepted);
  const before = new Checkout(api, customer, () => {});
  await before.place(basket);
  before.cancel();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(api.keys).toHaveLength(1);
  await new Checkout(api, customer, () => {}).place(basket);
  expect(new Set(api.keys).size).toBe(1);
});

test("an answered attempt is over: the same basket again is a new order", async () => {
  const api = shop(accepted, new Problem({ status: 422, title: "No" }), accepted);
  const checkout = new Checkout(api, customer, () => {});
  await checkout.place(basket);
  await checkout.place(basket);
  expect(checkout.state.get().phase).toBe("refused");
  await checkout.place(basket);
  expect(new Set(api.keys).size).toBe(3);
});

test("another customer never sends this one's key", async () => {
  const api = shop(busy, accepted);
  await new Checkout(api, customer, () => {}).place(basket);
  await new Checkout(api, { sub: "bob", name: "Bob" }, () => {}).place(basket);
  expect(new Set(api.keys).size).toBe(2);
});

test("another basket is another attempt", () => {
  const previous = { key: "k", body: "a" };
  expect(attemptFor("a", previous)).toBe(previous);
  expect(attemptFor("b", previous).key).not.toBe("k");
});
