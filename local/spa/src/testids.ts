/**
 * What an end-to-end test may hold on to: stable `data-testid` values.
 *
 * - `badge` carries `data-state`: live | connecting | reconnecting | offline.
 * - `order` is one row of "My orders"; it carries `data-correlation-id`, `data-status`
 *   and, once the order has a number, `data-order-id`.
 * - `notice` carries `data-kind`: success | waiting | problem.
 * - `announce` is the live region screen readers hear; it names each decided order.
 */
export const testId = {
  signIn: "sign-in",
  signOut: "sign-out",
  user: "user",
  badge: "badge",
  basket: "basket",
  basketTotal: "basket-total",
  placeOrder: "place-order",
  notice: "notice",
  order: "order",
  orders: "orders",
  more: "more",
  announce: "announce",
  product: (sku: string) => `product-${sku}`,
  add: (sku: string) => `add-${sku}`,
  quantity: (sku: string) => `quantity-${sku}`,
  remove: (sku: string) => `remove-${sku}`,
} as const;
