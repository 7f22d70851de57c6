import { useState } from "react";
import { lineOfPointer } from "../api";
import { basketTotal, maxQuantity, remove, setQuantity, validQuantity, type BasketLine } from "../basket";
import { decimalString, formatMoney, totalOf } from "../money";
import { currency, productOf } from "../products";
import type { Session } from "../session";
import { useStore } from "../store";
import { testId } from "../testids";
import { CheckoutNotice } from "./CheckoutNotice";
import { BasketPicture, CrossIcon } from "./pictures";

export function BasketPanel({ session }: { session: Session }) {
  const { checkout } = session;
  const basket = useStore(session.basket);
  const state = useStore(checkout.state);
  const busy = state.phase === "sending" || state.phase === "waiting";
  const problems = state.phase === "refused" ? state.problem.errors : [];

  return (
    <section className="basket card" aria-labelledby="basket-heading" data-testid={testId.basket}>
      <h2 id="basket-heading">Basket</h2>
      {basket.length === 0 ? (
        <div className="empty">
          <BasketPicture />
          <p>Your basket is empty.</p>
        </div>
      ) : (
        <ul className="lines">
          {basket.map((line, index) => (
            <Row
              key={line.sku}
              line={line}
              problem={problems.find((p) => lineOfPointer(p.pointer) === index)?.detail}
              disabled={busy}
              setQuantity={(quantity) => session.editBasket((b) => setQuantity(b, line.sku, quantity))}
              remove={() => session.editBasket((b) => remove(b, line.sku))}
            />
          ))}
        </ul>
      )}
      <p className="total">
        <span>Total</span>
        <output data-testid={testId.basketTotal}>{formatMoney(basketTotal(basket), currency)}</output>
      </p>
      <button
        className="button primary large"
        disabled={busy || basket.length === 0}
        aria-busy={busy}
        onClick={() => void checkout.place(basket)}
        data-testid={testId.placeOrder}
      >
        {state.phase === "sending" ? "Placing your order…" : "Place order"}
      </button>
      <CheckoutNotice checkout={checkout} />
    </section>
  );
}

interface RowProps {
  line: BasketLine;
  problem: string | undefined;
  disabled: boolean;
  setQuantity: (quantity: number) => void;
  remove: () => void;
}

function Row({ line, problem, disabled, setQuantity, remove }: RowProps) {
  const { name, unitPrice } = productOf.get(line.sku)!;
  const price = decimalString(totalOf([{ quantity: line.quantity, unitPrice }]));
  return (
    <li className="line">
      <span className="line-name">{name}</span>
      <Quantity name={name} line={line} disabled={disabled} invalid={problem !== undefined} set={setQuantity} />
      <span className="line-price">{formatMoney(price, currency)}</span>
      <button
        className="icon-button"
        aria-label={`Remove ${name}`}
        disabled={disabled}
        onClick={remove}
        data-testid={testId.remove(line.sku)}
      >
        <CrossIcon />
      </button>
      {problem && <p className="line-problem">{problem}</p>}
    </li>
  );
}

interface QuantityProps {
  name: string;
  line: BasketLine;
  disabled: boolean;
  invalid: boolean;
  set: (quantity: number) => void;
}

/** While it is being typed a number may be no quantity at all; the basket keeps the last good one. */
function Quantity({ name, line, disabled, invalid, set }: QuantityProps) {
  const [draft, setDraft] = useState<string>();
  const type = (text: string) => {
    setDraft(text);
    if (validQuantity(Number(text))) set(Number(text));
  };
  return (
    <input
      className="quantity"
      type="number"
      inputMode="numeric"
      min={1}
      max={maxQuantity}
      step={1}
      required
      aria-label={`Quantity of ${name}`}
      aria-invalid={invalid || (draft !== undefined && !validQuantity(Number(draft)))}
      disabled={disabled}
      value={draft ?? line.quantity}
      onChange={(event) => type(event.target.value)}
      onBlur={() => setDraft(undefined)}
      data-testid={testId.quantity(line.sku)}
    />
  );
}
