import { managesTenants, session } from "../../session.ts";
import { Keys } from "./keys.tsx";

/** A tenant's own keys. */
export default function OwnKeys() {
  return (
    <>
      <h1>Access keys</h1>
      {!managesTenants() && (
        <p>Keys are made, rotated and disabled by your admin or the operator. Secrets are never shown again.</p>
      )}
      <Keys tenant={session.value?.tenant_id ?? ""} />
    </>
  );
}
