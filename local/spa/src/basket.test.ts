import { expect, test } from "vitest";
import { add, basketTotal, parseBasket, setQuantity, without } from "./basket";

const basket = [
  { sku: "BEANS-1", quantity: 2 },
  { sku: "FILTER-1", quantity: 100 },
];

test("a stored basket comes back as it was", () => {
  expect(parseBasket(JSON.stringify(basket))).toEqual(basket);
});

test.each([
  ["nothing stored", null],
  ["broken JSON", '[{"sku":'],
  ["not a list", '{"sku":"BEANS-1"}'],
  ["a null line", "[null]"],
  ["a product we do not sell", '[{"sku":"YACHT-1","quantity":1}]'],
  ["a fraction", '[{"sku":"BEANS-1","quantity":1.5}]'],
  ["too many", '[{"sku":"BEANS-1","quantity":10000}]'],
  ["a quantity in words", '[{"sku":"BEANS-1","quantity":"1"}]'],
  ["one product twice", '[{"sku":"BEANS-1","quantity":1},{"sku":"BEANS-1","quantity":1}]'],
])("%s is an empty basket", (_, stored) => {
  expect(parseBasket(stored)).toEqual([]);
});

test("adding what is there already adds one more, up to the most", () => {
  expect(add(basket, "BEANS-1")[0]).toEqual({ sku: "BEANS-1", quantity: 3 });
  expect(add([{ sku: "BEANS-1", quantity: 9999 }], "BEANS-1")[0]?.quantity).toBe(9999);
});

test.each([0, -1, 1.5, 10_000, Number.NaN])("quantity %d changes nothing", (quantity) => {
  expect(setQuantity(basket, "BEANS-1", quantity)).toEqual(basket);
});

test("what was ordered leaves; what was added meanwhile stays", () => {
  const grown = add(add(basket, "BEANS-1"), "MUG-1");
  expect(without(grown, basket)).toEqual([
    { sku: "BEANS-1", quantity: 1 },
    { sku: "MUG-1", quantity: 1 },
  ]);
});

test("the total is exact", () => {
  expect(basketTotal(basket)).toBe("24.73");
});
