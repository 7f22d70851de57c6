import { add } from "../basket";
import { formatMoney } from "../money";
import { currency, products } from "../products";
import type { Session } from "../session";
import { useStore } from "../store";
import { testId } from "../testids";
import { ProductPicture } from "./pictures";

export function Shop({ session }: { session: Session }) {
  const basket = useStore(session.basket);
  const countOf = (sku: string) => basket.find((line) => line.sku === sku)?.quantity;
  return (
    <section className="shop" aria-labelledby="shop-heading">
      <h1 id="shop-heading">Good things for good coffee</h1>
      <ul className="products">
        {products.map(({ sku, name, note, unitPrice }) => (
          <li key={sku} className="product" data-testid={testId.product(sku)}>
            <ProductPicture sku={sku} />
            <div className="product-words">
              <h2>{name}</h2>
              <p>{note}</p>
            </div>
            <p className="price">{formatMoney(unitPrice, currency)}</p>
            <AddButton sku={sku} name={name} count={countOf(sku)} session={session} />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface AddProps {
  sku: string;
  name: string;
  /** How many are in the basket: it may be out of sight on a phone. */
  count: number | undefined;
  session: Session;
}

function AddButton({ sku, name, count, session }: AddProps) {
  return (
    <button
      className="button"
      aria-label={count ? `Add ${name}, ${count} in the basket` : `Add ${name}`}
      onClick={() => session.editBasket((basket) => add(basket, sku))}
      data-testid={testId.add(sku)}
    >
      Add
      {count && <span className="count">{count}</span>}
    </button>
  );
}
