import { useState } from "preact/hooks";
import type { Tenant } from "../../admin.ts";
import { api, at } from "../../api.ts";
import { Badge, Button, Dialog, done, Field, Form, Load, Time } from "../../components/index.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import { isOperator } from "../../session.ts";
import { Keys } from "./keys.tsx";

export function One({ id }: { readonly id: string }) {
  const tenant = useResource((signal) => api.get<Tenant>(at`/api/tenants/${id}`, {}, signal), [id]);
  const [renaming, setRenaming] = useState(false);
  const change = async (fields: Partial<Tenant>) => {
    const changed = await api.patch<Tenant>(at`/api/tenants/${id}`, fields);
    tenant.reload();
    done(`${changed.name} is ${changed.state}.`);
  };
  return (
    <>
      <p>
        <a href={link("tenants")}>Tenants</a>
      </p>
      <h1>{id}</h1>
      <Load resource={tenant}>
        {(data) => (
          <>
            <dl class="facts">
              <dt>Name</dt>
              <dd>{data.name}</dd>
              <dt>State</dt>
              <dd>
                <Badge tone={data.state === "active" ? "good" : "bad"}>{data.state}</Badge>
                {data.state === "disabled" && " Its keys are refused; its data stays."}
              </dd>
              <dt>Made</dt>
              <dd>
                <Time at={data.created_at} />
              </dd>
            </dl>
            <div class="actions">
              <a class="button" href={link("buckets", [id])}>
                Its buckets
              </a>
              <a class="button" href={link("policies", [id])}>
                Its policy
              </a>
              {isOperator() && <Steering tenant={data} change={change} onRename={() => setRenaming(true)} />}
            </div>
            {renaming && <Rename tenant={data} onClose={() => setRenaming(false)} change={change} />}
            <h2>Access keys</h2>
            <Keys tenant={id} />
          </>
        )}
      </Load>
    </>
  );
}

interface SteeringProps {
  readonly tenant: Tenant;
  readonly change: (fields: Partial<Tenant>) => Promise<void>;
  readonly onRename: () => void;
}

function Steering({ tenant, change, onRename }: SteeringProps) {
  return (
    <>
      <Button onClick={onRename}>Rename…</Button>
      {tenant.state === "active" ? (
        <Button kind="danger" onClick={() => change({ state: "disabled" })}>
          Disable the tenant
        </Button>
      ) : (
        <Button onClick={() => change({ state: "active" })}>Enable the tenant</Button>
      )}
    </>
  );
}

interface RenameProps {
  readonly tenant: Tenant;
  readonly onClose: () => void;
  readonly change: (fields: Partial<Tenant>) => Promise<void>;
}

function Rename({ tenant, onClose, change }: RenameProps) {
  const submit = async ({ name = "" }: Readonly<Record<string, string>>) => {
    await change({ name });
    onClose();
  };
  return (
    <Dialog title={`Rename ${tenant.tenant_id}`} onClose={onClose}>
      <Form action="Rename" onSubmit={submit}>
        <Field label="Name" name="name" required defaultValue={tenant.name} />
      </Form>
    </Dialog>
  );
}
