import type { BackendState, Health } from "../../admin.ts";
import { Badge, type Tone } from "../../components/index.ts";

const STATES: Readonly<Record<BackendState, Tone>> = {
  active: "good",
  readonly: "warn",
  draining: "warn",
  disabled: "bad",
  lost: "bad",
};

export function StateBadge({ state, paused }: { readonly state: BackendState; readonly paused?: boolean }) {
  return (
    <>
      <Badge tone={STATES[state]}>{state}</Badge>
      {paused && (
        <>
          {" "}
          <Badge tone="warn">paused</Badge>
        </>
      )}
    </>
  );
}

/** How a backend looks to the proxies that use it. */
export function HealthBadge({ health }: { readonly health: Health | undefined }) {
  const [tone, text] = toldOf(health);
  return <Badge tone={tone}>{text}</Badge>;
}

function toldOf(health: Health | undefined): readonly [Tone, string] {
  if (!health?.proxies) return ["plain", "not used lately"];
  if (health.avoiding === health.proxies) return ["bad", "avoided"];
  if (health.avoiding) return ["warn", `avoided by ${health.avoiding} of ${health.proxies}`];
  return ["good", health.seconds === null ? "serves" : `serves in ${Math.max(1, Math.round(health.seconds * 1000))} ms`];
}
