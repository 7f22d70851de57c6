import { expect, test } from "vitest";
import { decimalString, formatMoney, parseMoney, totalOf } from "./money";

test.each([
  ["9.99", 99_900n],
  ["0.0475", 475n],
  ["12", 120_000n],
  ["0.1", 1_000n],
])("%s is %d ten-thousandths", (text, amount) => {
  expect(parseMoney(text)).toBe(amount);
});

test.each(["", "-1", "1.", ".5", "1.23456", "1e3", "1,50", " 1", "NaN"])("%j is no amount", (text) => {
  expect(() => parseMoney(text)).toThrow(RangeError);
});

test.each([
  [0n, "0.00"],
  [475n, "0.0475"],
  [1_000n, "0.10"],
  [99_950n, "9.995"],
  [120_000n, "12.00"],
])("%d reads %s", (amount, text) => {
  expect(decimalString(amount)).toBe(text);
});

test("a total is exact where floats are not", () => {
  expect(decimalString(totalOf([{ quantity: 3, unitPrice: "0.1" }]))).toBe("0.30");
  const most = { quantity: 9999, unitPrice: "999999999999.9999" };
  expect(decimalString(totalOf(Array.from({ length: 100 }, () => most)))).toBe("999899999999999900.01");
});

test("an amount beyond a float's precision is shown to the last place", () => {
  expect(formatMoney("999899999999999900.0101", "EUR")).toBe("€999,899,999,999,999,900.0101");
});
