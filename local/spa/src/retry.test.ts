import { expect, test } from "vitest";
import { JitteredRetry, parseRetryAfter } from "./retry";

test("the ceiling doubles from half a second to thirty, and stays there", () => {
  const retry = new JitteredRetry(() => 1);
  const ceilings = Array.from({ length: 9 }, () => retry.nextDelayMs());
  expect(ceilings).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("the jitter is full: a wait may be nothing at all", () => {
  const retry = new JitteredRetry(() => 0);
  expect([retry.nextDelayMs(), retry.nextDelayMs()]).toEqual([0, 0]);
});

test("it never gives up", () => {
  const retry = new JitteredRetry(() => 0.5);
  for (let n = 0; n < 5000; n++) retry.nextDelayMs();
  expect(retry.nextDelayMs()).toBe(15_000);
});

test("a reset starts small again", () => {
  const retry = new JitteredRetry(() => 1);
  retry.nextDelayMs();
  retry.nextDelayMs();
  retry.reset();
  expect(retry.nextDelayMs()).toBe(500);
});

const now = Date.parse("2030-01-01T00:00:00Z");

test.each([
  ["3", 3000],
  ["0", 0],
  ["Tue, 01 Jan 2030 00:00:07 GMT", 7000],
  ["Mon, 31 Dec 2029 23:00:00 GMT", 0],
  ["999999", 600_000],
  ["soon", undefined],
  [null, undefined],
])("Retry-After %s waits %s ms", (header, ms) => {
  expect(parseRetryAfter(header, now)).toBe(ms);
});
