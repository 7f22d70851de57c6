import { useEffect, useState } from "react";
import type { Auth, Customer } from "./auth";
import { BasketPanel } from "./components/BasketPanel";
import { Header } from "./components/Header";
import { Orders } from "./components/Orders";
import { Shop } from "./components/Shop";
import { Toasts } from "./components/Toasts";
import { Welcome } from "./components/Welcome";
import { Session } from "./session";
import { useStore } from "./store";

export function App({ auth }: { auth: Auth }) {
  const state = useStore(auth.state);
  if (state.phase === "signed-out") {
    return <Welcome problem={state.problem} signIn={() => auth.signIn()} />;
  }
  return <SignedIn key={state.customer.sub} auth={auth} customer={state.customer} />;
}

function SignedIn({ auth, customer }: { auth: Auth; customer: Customer }) {
  const [session, setSession] = useState<Session>();
  useEffect(() => {
    const opened = new Session(auth, customer);
    opened.start();
    setSession(opened);
    return () => opened.stop();
  }, [auth, customer]);
  return session && <Page auth={auth} customer={customer} session={session} />;
}

function Page({ auth, customer, session }: { auth: Auth; customer: Customer; session: Session }) {
  return (
    <>
      <a className="skip" href="#orders">
        Skip to my orders
      </a>
      <Header customer={customer} hub={session.hub} signOut={() => void auth.signOut()} />
      <main className="page">
        <Shop session={session} />
        <BasketPanel session={session} />
        <Orders session={session} />
      </main>
      <Toasts session={session} />
    </>
  );
}
