import { signal } from "@preact/signals";
import { ApiError, api, onSignedOut } from "./api.ts";
import { importKey, Signer } from "./signing.ts";

/** As the admin API has them (docs/api.md); `nobody` has not signed in. */
export type Role = "operator" | "auditor" | "tenant_admin" | "tenant" | "nobody";

export interface Session {
  readonly role: Role;
  readonly tenant_id: string | null;
  readonly access: "full" | "read" | null;
  readonly expires_at: string | null;
  /** Whether the service relays signed requests for whoever this is. */
  readonly relay: boolean;
}

const NOBODY: Session = { role: "nobody", tenant_id: null, access: null, expires_at: null, relay: false };

/** `undefined` until the service has said who this is. */
export const session = signal<Session | undefined>(undefined);

/** Why somebody is nobody who may have been somebody: the session has ended, or it cannot be told whose it is. */
export const lost = signal<"ended" | Error | undefined>(undefined);

onSignedOut(() => {
  if (session.value && session.value.role !== "nobody") lost.value = "ended";
  session.value = NOBODY;
});

/** A service that does not answer leaves the reader nobody: what needs no session can still be used. */
export async function refreshSession(): Promise<void> {
  const found = await api.get<Session>("/api/session").catch((error: Error) => error);
  lost.value = found instanceof Error ? found : undefined;
  session.value = found instanceof Error ? NOBODY : found;
}

export async function signInAsOperator(adminKey: string): Promise<void> {
  await signIn("operator", { admin_key: adminKey }, "This is not the admin key.");
}

/** The session has the token's role, and ends before it. */
export async function signInWithToken(token: string): Promise<void> {
  await signIn("token", { token }, "This is no token, or one that has ended or was revoked.");
}

async function signIn(kind: string, body: object, otherwise: string): Promise<void> {
  await api.post(`/api/session/${kind}`, body).catch((error) => {
    throw error instanceof ApiError && error.status === 401 ? new Error(otherwise) : error;
  });
  await refreshSession();
}

/** Shows that the secret key is known by signing the request with it, here. */
export async function signInAsTenant(accessKey: string, secretKey: string): Promise<void> {
  const signer = new Signer({ accessKey, key: await importKey(secretKey), region: "us-east-1" });
  const headers = await signer.headers("POST", new URL("/api/session/tenant", location.origin));
  await api.post("/api/session/tenant", undefined, { headers });
  await refreshSession();
}

export async function signOut(): Promise<void> {
  await api.delete("/api/session");
  await refreshSession();
}

/** Whether everybody's things are shown, not only one tenant's. */
export function seesAll(): boolean {
  return session.value?.role === "operator" || session.value?.role === "auditor";
}

export function isOperator(): boolean {
  return session.value?.role === "operator";
}

/** Whether keys and policies may be changed: an operator's right, and that of a tenant's admin in its own house. */
export function managesTenants(): boolean {
  return session.value?.role === "operator" || session.value?.role === "tenant_admin";
}
