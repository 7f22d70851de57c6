/** The page could not even find out how to sign in. */
export function Trouble({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <main className="welcome">
      <h1>The shop is not answering</h1>
      <p className="alert" role="alert">
        {error instanceof Error ? error.message : String(error)}
      </p>
      <button className="button primary" onClick={retry}>
        Try again
      </button>
    </main>
  );
}
