import { useState } from "preact/hooks";
import type { Tenant } from "../../admin.ts";
import { api } from "../../api.ts";
import { Badge, Button, type Column, Dialog, done, Empty, Field, Form, LoadPages, Table, Time } from "../../components/index.ts";
import { usePages } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { isOperator } from "../../session.ts";
import type { PageProps } from "../index.ts";
import { One } from "./one.tsx";

export default function Tenants({ route }: PageProps) {
  const [tenant] = route.path;
  return tenant ? <One key={tenant} id={tenant} /> : <All />;
}

interface Page {
  readonly tenants: readonly Tenant[];
  readonly truncated: boolean;
}

const COLUMNS: readonly Column<Tenant>[] = [
  {
    name: "tenant",
    title: "Tenant",
    by: (it) => it.tenant_id,
    show: (it) => <a href={link("tenants", [it.tenant_id])}>{it.tenant_id}</a>,
  },
  { name: "name", title: "Name", width: "minmax(10rem, 2fr)", by: (it) => it.name, show: (it) => it.name },
  {
    name: "state",
    title: "State",
    by: (it) => it.state,
    show: (it) => <Badge tone={it.state === "active" ? "good" : "bad"}>{it.state}</Badge>,
  },
  {
    name: "made",
    title: "Made",
    width: "minmax(10rem, 1fr)",
    by: (it) => it.created_at,
    show: (it) => <Time at={it.created_at} />,
  },
];

function All() {
  const [adding, setAdding] = useState(false);
  const tenants = usePages(
    (after: string | undefined, signal) => api.get<Page>("/api/tenants", { after, limit: 500 }, signal),
    (page) => page.truncated && page.tenants.at(-1)?.tenant_id,
  );
  return (
    <>
      <h1>Tenants</h1>
      {isOperator() && (
        <div class="actions">
          <Button kind="primary" onClick={() => setAdding(true)}>
            New tenant…
          </Button>
        </div>
      )}
      <LoadPages pages={tenants} more="More tenants">
        {(pages) => {
          const rows = pages.flatMap((it) => it.tenants);
          return rows.length ? (
            <Table label="Tenants" rows={rows} columns={COLUMNS} sort={{ column: "tenant", descending: false }} />
          ) : (
            <Empty title="There is no tenant yet. A tenant owns buckets and the access keys to them." />
          );
        }}
      </LoadPages>
      {adding && <NewTenant onClose={() => setAdding(false)} />}
    </>
  );
}

function NewTenant({ onClose }: { readonly onClose: () => void }) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    const made = await api.post<Tenant>("/api/tenants", {
      tenant_id: values.tenant_id,
      ...(values.name && { name: values.name }),
    });
    done(`There is a tenant ${made.tenant_id} now.`);
    go(link("tenants", [made.tenant_id]));
  };
  return (
    <Dialog title="New tenant" onClose={onClose}>
      <Form action="Make the tenant" onSubmit={submit}>
        <Field
          label="Id"
          name="tenant_id"
          required
          pattern="[a-z0-9][a-z0-9\-]*"
          maxLength={63}
          hint="a-z, 0-9 and -; it never changes"
        />
        <Field label="Name" name="name" hint="For people; the id when empty" />
      </Form>
    </Dialog>
  );
}
