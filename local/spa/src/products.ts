export interface Product {
  sku: string;
  name: string;
  note: string;
  /** A decimal string with at most four places, in `currency`. */
  unitPrice: string;
}

export const currency = "EUR";

export const products: readonly Product[] = [
  { sku: "BEANS-1", name: "House beans", note: "250 g, roasted on Monday", unitPrice: "9.99" },
  { sku: "MUG-1", name: "Stoneware mug", note: "Holds 300 ml and a morning", unitPrice: "14.50" },
  { sku: "DRIPPER-1", name: "Pour-over dripper", note: "Porcelain, for one or two", unitPrice: "24.00" },
  { sku: "KETTLE-1", name: "Gooseneck kettle", note: "Pours exactly where you look", unitPrice: "64.00" },
  { sku: "GRINDER-1", name: "Hand grinder", note: "Steel burrs, forty seconds", unitPrice: "89.90" },
  { sku: "FILTER-1", name: "Paper filter", note: "Sold singly, priced exactly", unitPrice: "0.0475" },
];

export const productOf: ReadonlyMap<string, Product> = new Map(products.map((p) => [p.sku, p]));
