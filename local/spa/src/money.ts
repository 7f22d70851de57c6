/**
 * Exact money: whole ten-thousandths of the currency's unit, in a BigInt.
 * Floats would make 3 × 0.10 something other than 0.30.
 */
export type Money = bigint;

const places = 4;
const unit = 10n ** BigInt(places);
const decimal = /^(\d{1,15})(?:\.(\d{1,4}))?$/;

/** Reads a decimal string as the API writes it ("9.99"). Throws a RangeError otherwise. */
export function parseMoney(text: string): Money {
  const match = decimal.exec(text);
  if (!match) throw new RangeError(`not an amount with at most ${places} places: "${text}"`);
  const [, whole = "0", fraction = ""] = match;
  return BigInt(whole) * unit + BigInt(fraction.padEnd(places, "0"));
}

/** The shortest decimal string with at least two places. */
export function decimalString(amount: Money): string {
  const fraction = (amount % unit).toString().padStart(places, "0");
  return `${amount / unit}.${fraction.slice(0, 2)}${fraction.slice(2).replace(/0+$/, "")}`;
}

export function totalOf(lines: readonly { quantity: number; unitPrice: string }[]): Money {
  return lines.reduce((sum, line) => sum + BigInt(line.quantity) * parseMoney(line.unitPrice), 0n);
}

/** For people. Intl takes the decimal string as it is, so no float is ever involved. */
export function formatMoney(text: string, currency: string): string {
  const format = new Intl.NumberFormat("en-IE", {
    style: "currency",
    currency,
    minimumFractionDigits: 2,
    maximumFractionDigits: places,
  });
  return format.format(text as Intl.StringNumericLiteral);
}
