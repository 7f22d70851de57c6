import { useState } from "react";
import { testId } from "../testids";
import { CupPicture, Logo } from "./pictures";

export function Welcome({ problem, signIn }: { problem: string | undefined; signIn: () => Promise<void> }) {
  const [leaving, setLeaving] = useState(false);
  const leave = async () => {
    setLeaving(true);
    await signIn().finally(() => setLeaving(false));
  };
  return (
    <main className="welcome">
      <CupPicture />
      <h1>
        <Logo /> Contoso Orders
      </h1>
      <p>Good things for good coffee. Order, and watch every order being decided the moment it happens.</p>
      {problem && (
        <p className="alert" role="alert" data-testid={testId.notice} data-kind="problem">
          {problem}
        </p>
      )}
      <button className="button primary large" disabled={leaving} onClick={() => void leave()} data-testid={testId.signIn}>
        {problem ? "Try to sign in again" : "Sign in"}
      </button>
    </main>
  );
}
