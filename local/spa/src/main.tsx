import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Auth } from "./auth";
import { Trouble } from "./components/Trouble";
import "./styles.css";

const root = createRoot(document.getElementById("root")!);

async function open(): Promise<void> {
  try {
    // Outside React: the answer in the address may be redeemed only once.
    const auth = await Auth.start();
    root.render(
      <StrictMode>
        <App auth={auth} />
      </StrictMode>,
    );
  } catch (error) {
    root.render(<Trouble error={error} retry={() => void open()} />);
  }
}

void open();
