import { currency, productOf } from "./products";
import { decimalString, totalOf } from "./money";

export interface BasketLine {
  sku: string;
  quantity: number;
}
export type Basket = readonly BasketLine[];

export const maxQuantity = 9999;

export function validQuantity(quantity: unknown): quantity is number {
  return Number.isInteger(quantity) && (quantity as number) >= 1 && (quantity as number) <= maxQuantity;
}

export function add(basket: Basket, sku: string): Basket {
  const line = basket.find((l) => l.sku === sku);
  if (!line) return [...basket, { sku, quantity: 1 }];
  return setQuantity(basket, sku, Math.min(line.quantity + 1, maxQuantity));
}

export function setQuantity(basket: Basket, sku: string, quantity: number): Basket {
  if (!validQuantity(quantity)) return basket;
  return basket.map((line) => (line.sku === sku ? { sku, quantity } : line));
}

export function remove(basket: Basket, sku: string): Basket {
  return basket.filter((line) => line.sku !== sku);
}

/** What is left once `ordered` is on its way: something may have been added meanwhile. */
export function without(basket: Basket, ordered: Basket): Basket {
  const taken = new Map(ordered.map((line) => [line.sku, line.quantity]));
  return basket
    .map(({ sku, quantity }) => ({ sku, quantity: quantity - (taken.get(sku) ?? 0) }))
    .filter((line) => line.quantity > 0);
}

/** The body of POST /v1/orders. */
export function orderOf(basket: Basket) {
  const lines = basket.map(({ sku, quantity }) => {
    return { sku, quantity, unitPrice: productOf.get(sku)!.unitPrice };
  });
  return { currency, lines };
}

export function basketTotal(basket: Basket): string {
  return decimalString(totalOf(orderOf(basket).lines));
}

/** What was stored is somebody else's input: one line that makes no sense empties the basket. */
export function parseBasket(text: string | null): Basket {
  try {
    const lines: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(lines) && lines.every(isLine) && distinct(lines) ? lines : [];
  } catch {
    return [];
  }
}

function isLine(value: unknown): value is BasketLine {
  const line = value as BasketLine | null;
  return typeof line === "object" && line !== null && productOf.has(line.sku) && validQuantity(line.quantity);
}

function distinct(lines: BasketLine[]): boolean {
  return new Set(lines.map((line) => line.sku)).size === lines.length;
}
