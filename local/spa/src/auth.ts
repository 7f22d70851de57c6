/**
 * Sign-in by authorization code with PKCE. The user lives in localStorage, so that every tab of
 * the browser is signed in, renews and signs out together.
 */
import { ErrorResponse, UserManager, WebStorageStateStore, type User } from "oidc-client-ts";
import type { Tokens } from "./api";
import { Store } from "./store";

export interface Customer {
  sub: string;
  name: string;
}

export type AuthState =
  | { phase: "signed-in"; customer: Customer }
  | { phase: "signed-out"; problem?: string };

interface Config {
  /** The identity provider; relative to this page, or absolute in production. */
  authority: string;
  clientId: string;
  scope: string;
}

const callbackPath = "/signed-in";
/** A token about to expire would be refused underway. */
const minLifetimeSeconds = 10;

export class Auth implements Tokens {
  readonly state = new Store<AuthState>({ phase: "signed-out" });
  readonly #manager: UserManager;

  /** Reads the configuration and, if the identity provider has just sent us back, its answer. */
  static async start(): Promise<Auth> {
    const response = await fetch("/config.json");
    if (!response.ok) throw new Error(`/config.json answered ${response.status}`);
    const auth = new Auth((await response.json()) as Config);
    await auth.#begin();
    return auth;
  }

  private constructor(config: Config) {
    this.#manager = new UserManager({
      authority: new URL(config.authority, location.origin).href,
      client_id: config.clientId,
      scope: config.scope,
      redirect_uri: `${location.origin}${callbackPath}`,
      post_logout_redirect_uri: `${location.origin}/`,
      userStore: new WebStorageStateStore({ store: localStorage }),
      // Renewed in #renew instead: two tabs presenting one refresh token at the same time look
      // like theft to a provider that rotates them, and both would be signed out.
      automaticSilentRenew: false,
    });
    this.#manager.events.addAccessTokenExpiring(() => void this.#renewEarly());
    // Another tab signed in, renewed or signed out.
    addEventListener("storage", (event) => {
      if (event.key === null || event.key.startsWith("oidc.user:")) void this.#reload();
    });
  }

  async #begin(): Promise<void> {
    let problem: string | undefined;
    if (location.pathname === callbackPath) {
      problem = await this.#manager.signinRedirectCallback().then(() => undefined, reasonOf);
      history.replaceState(null, "", "/");
    }
    await this.#reload(problem);
    void this.#manager.clearStaleState();
  }

  async signIn(): Promise<void> {
    try {
      await this.#manager.signinRedirect();
    } catch (error) {
      this.state.set({ phase: "signed-out", problem: reasonOf(error) });
    }
  }

  async signOut(): Promise<void> {
    try {
      await this.#manager.signoutRedirect();
    } catch {
      // The provider is away or has no sign-out page: at least this browser forgets.
      await this.#manager.removeUser();
      await this.#reload();
    }
  }

  async accessToken(): Promise<string> {
    const user = await this.#manager.getUser();
    return user && isFresh(user) ? user.access_token : this.#renew(user?.access_token);
  }

  replace(rejected: string): Promise<string> {
    return this.#renew(rejected);
  }

  async #renewEarly(): Promise<void> {
    const user = await this.#manager.getUser();
    // If this fails, the next use of the token tries again.
    await this.#renew(user?.access_token).catch(() => {});
  }

  /** One tab renews at a time; those that waited find the new token in the store. */
  #renew(stale: string | undefined): Promise<string> {
    return navigator.locks.request("contoso-orders:renew", async () => {
      const before = await this.#manager.getUser();
      if (before && before.access_token !== stale && isFresh(before)) return before.access_token;
      if (!before?.refresh_token) return this.#end();
      try {
        const user = await this.#manager.signinSilent();
        return user ? user.access_token : this.#end();
      } catch (error) {
        // An ErrorResponse is the provider's refusal; anything else may pass.
        if (error instanceof ErrorResponse) return this.#end();
        throw error;
      }
    });
  }

  async #end(): Promise<never> {
    const problem = "Your session has ended. Please sign in again.";
    await this.#manager.removeUser();
    await this.#reload(problem);
    throw new Error(problem);
  }

  async #reload(problem?: string): Promise<void> {
    const user = await this.#manager.getUser();
    if (!user) {
      this.state.set({ phase: "signed-out", problem });
      return;
    }
    const { sub, name, preferred_username, email } = user.profile;
    const now = this.state.get();
    if (now.phase === "signed-in" && now.customer.sub === sub) return;
    this.state.set({ phase: "signed-in", customer: { sub, name: name ?? preferred_username ?? email ?? sub } });
  }
}

function isFresh(user: User): boolean {
  return (user.expires_in ?? Infinity) > minLifetimeSeconds;
}

function reasonOf(error: unknown): string {
  if (error instanceof ErrorResponse && error.error === "access_denied") return "The sign-in was cancelled.";
  return `The sign-in did not succeed: ${error instanceof Error ? error.message : String(error)}`;
}
