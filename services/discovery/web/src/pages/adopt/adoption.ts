/** Bringing a bucket under management where it is (docs/api.md, "Adoption"). */
import type { Backend } from "../../admin.ts";
import { api, at } from "../../api.ts";
import { jurisdictions, type Provider, siteAt } from "../../catalogue.ts";
import { handOver } from "../../sealing.ts";

export interface Task {
  readonly task_id: string;
  readonly state: "waiting" | "running" | "paused" | "done" | "failed" | "cancelled";
  readonly parameters: { readonly tenant: string; readonly bucket: string; readonly backend: string; readonly source: string };
  readonly progress: Readonly<Record<string, number>>;
  readonly error: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
}

export interface Finding {
  readonly key: string;
  readonly kind: string;
  readonly reason: string;
}

export async function listBackends(signal: AbortSignal): Promise<readonly Backend[]> {
  return (await api.get<{ backends: readonly Backend[] }>("/api/backends", {}, signal)).backends;
}

export async function listTenants(signal: AbortSignal): Promise<readonly string[]> {
  const answer = await api.get<{ tenants: readonly { tenant_id: string }[] }>("/api/tenants", { limit: 1000 }, signal);
  return answer.tenants.map((it) => it.tenant_id);
}

export async function listAdoptions(signal: AbortSignal): Promise<readonly Task[]> {
  return (await api.get<{ tasks: readonly Task[] }>("/api/tasks", { kind: "adopt", limit: 100 }, signal)).tasks;
}

export function showTask(id: string, signal: AbortSignal): Promise<Task> {
  return api.get<Task>(at`/api/tasks/${id}`, {}, signal);
}

export function steer(id: string, action: "pause" | "resume" | "cancel"): Promise<Task> {
  return api.patch<Task>(at`/api/tasks/${id}`, { action });
}

export async function findings(id: string, signal: AbortSignal): Promise<readonly Finding[]> {
  return (await api.get<{ findings: readonly Finding[] }>(at`/api/tasks/${id}/findings`, { limit: 1000 }, signal)).findings;
}

/** What a form says of a provider's account: texts, but for the secret, which goes no further than `register`. */
export interface Registration {
  readonly backend_id: string;
  readonly provider: string;
  readonly endpoint: string;
  readonly country: string;
  readonly jurisdictions: readonly string[];
  readonly region: string;
  readonly addressing: string;
  readonly quirks: string;
  readonly access_key: string;
}

/** The one step in which a secret leaves the browser: sealed, for the metadata service, for this backend. */
export async function register({ backend_id, ...rest }: Registration, secret: string): Promise<Backend> {
  const sealed_secret_key = await handOver(secret, `backend:${backend_id}`);
  return api.put<Backend>(at`/api/backends/${backend_id}`, { ...rest, sealed_secret_key });
}

export interface Wanted {
  readonly tenant: string;
  readonly bucket: string;
  readonly backend: string;
  readonly source: string;
  readonly prefix: string;
  readonly location: string;
}

export function begin(wanted: Wanted): Promise<Task> {
  return api.post<Task>("/api/tasks", { kind: "adopt", parameters: wanted });
}

/** What can be said of an endpoint without asking: checked facts of the catalogue. The rest is the operator's to state. */
export function proposal(providers: readonly Provider[], endpoint: string): Partial<Registration> {
  const found = siteAt(providers, endpoint);
  if (!found) return { endpoint };
  const { provider, site } = found;
  return {
    endpoint,
    backend_id: `${provider.provider}-${site.site}`.slice(0, 31).replace(/-+$/, ""),
    provider: provider.provider,
    ...(site.region && { region: site.region }),
    ...(site.checked && site.country && { country: site.country }),
    jurisdictions: jurisdictions(provider),
  };
}

export const FINISHED: ReadonlySet<Task["state"]> = new Set(["done", "failed", "cancelled"]);
