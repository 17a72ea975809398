import { useState } from "preact/hooks";
import type { Credential } from "../../admin.ts";
import { api, at } from "../../api.ts";
import {
  Badge,
  Button,
  type Column,
  Copy,
  Dialog,
  done,
  Empty,
  Field,
  Form,
  Load,
  Select,
  Table,
  Time,
} from "../../components/index.ts";
import { useResource } from "../../resource.ts";
import { issue } from "../../sealing.ts";
import { managesTenants } from "../../session.ts";

type Asked = "new" | Credential;

interface NewKey {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A tenant sees its keys; an operator or its admin also makes, rotates and disables them. */
export function Keys({ tenant }: { readonly tenant: string }) {
  const manages = managesTenants();
  const keys = useResource(
    (signal) => api.get<{ credentials: Credential[] }>("/api/credentials", { tenant, limit: 1000 }, signal),
    [tenant],
  );
  const [asked, setAsked] = useState<Asked>();
  const [issued, setIssued] = useState<NewKey>();
  const show = (key: NewKey) => {
    setAsked(undefined);
    setIssued(key);
    keys.reload();
  };
  const toggle = async (key: Credential) => {
    const changed = await api.patch<Credential>(at`/api/credentials/${key.access_key}`, {
      state: key.state === "active" ? "disabled" : "active",
    });
    keys.reload();
    done(`${changed.access_key} is ${changed.state}.`);
  };
  return (
    <>
      {manages && (
        <div class="actions">
          <Button kind="primary" onClick={() => setAsked("new")}>
            New key…
          </Button>
        </div>
      )}
      <Load resource={keys}>
        {({ credentials }) =>
          credentials.length ? (
            <Table
              label="Access keys"
              rows={credentials}
              columns={[...COLUMNS, ...(manages ? [actions(setAsked, toggle)] : [])]}
              sort={{ column: "made", descending: true }}
            />
          ) : (
            <Empty title="There is no access key yet, so nobody gets at the buckets." />
          )
        }
      </Load>
      {asked === "new" && <Make tenant={tenant} onClose={() => setAsked(undefined)} onIssued={show} />}
      {asked !== undefined && asked !== "new" && <Rotate old={asked} onClose={() => setAsked(undefined)} onIssued={show} />}
      {issued && <Issued issued={issued} onClose={() => setIssued(undefined)} />}
    </>
  );
}

const COLUMNS: readonly Column<Credential>[] = [
  {
    name: "key",
    title: "Access key",
    width: "minmax(12rem, 1.5fr)",
    by: (it) => it.access_key,
    show: (it) => <code>{it.access_key}</code>,
  },
  {
    name: "access",
    title: "May",
    width: "minmax(7rem, 1fr)",
    by: (it) => it.access,
    show: (it) => (it.access === "full" ? "read and write" : "read"),
  },
  { name: "state", title: "State", by: (it) => it.state, show: (it) => <KeyState of={it} /> },
  {
    name: "made",
    title: "Made",
    width: "minmax(9.5rem, 1fr)",
    by: (it) => it.created_at,
    show: (it) => <Time at={it.created_at} />,
  },
  {
    name: "expires",
    title: "Expires",
    width: "minmax(9.5rem, 1fr)",
    by: (it) => it.expires_at ?? "",
    show: (it) => (it.expires_at ? <Time at={it.expires_at} /> : "never"),
  },
];

function KeyState({ of: key }: { readonly of: Credential }) {
  if (key.state === "active" && key.expires_at && Date.parse(key.expires_at) <= Date.now())
    return <Badge tone="bad">expired</Badge>;
  return <Badge tone={key.state === "active" ? "good" : "bad"}>{key.state}</Badge>;
}

function actions(rotate: (key: Credential) => void, toggle: (key: Credential) => Promise<void>): Column<Credential> {
  return {
    name: "actions",
    title: "Actions",
    width: "minmax(11.5rem, 1fr)",
    show: (it) => (
      <>
        <Button kind="quiet" onClick={() => rotate(it)} disabled={it.state !== "active"} aria-label={`Rotate ${it.access_key}`}>
          Rotate…
        </Button>
        <Button
          kind="quiet"
          onClick={() => toggle(it)}
          aria-label={`${it.state === "active" ? "Disable" : "Enable"} ${it.access_key}`}
        >
          {it.state === "active" ? "Disable" : "Enable"}
        </Button>
      </>
    ),
  };
}

interface IssuingProps {
  readonly onClose: () => void;
  readonly onIssued: (key: NewKey) => void;
}

const DAY = 86_400; // seconds

function Make({ tenant, onClose, onIssued }: IssuingProps & { readonly tenant: string }) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    const days = values.days ? { expires_in_seconds: Math.round(Number(values.days) * DAY) } : {};
    onIssued(await issueKey("/api/credentials", { tenant_id: tenant, access: values.access, ...days }));
  };
  return (
    <Dialog title={`New key of ${tenant}`} onClose={onClose}>
      <Form action="Make the key" onSubmit={submit}>
        <Select label="It may" name="access">
          <option value="full">read and write</option>
          <option value="read">read</option>
        </Select>
        <Field label="Days until it expires" name="days" type="number" min={0} step="any" hint="Empty: never" />
      </Form>
    </Dialog>
  );
}

function Rotate({ old, onClose, onIssued }: IssuingProps & { readonly old: Credential }) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    onIssued(
      await issueKey(at`/api/credentials/${old.access_key}/rotate`, { overlap_seconds: Math.round(Number(values.hours) * 3600) }),
    );
  };
  return (
    <Dialog title={`Rotate ${old.access_key}`} onClose={onClose}>
      <p>A new key takes its place, of the same tenant and with the same rights.</p>
      <Form action="Rotate the key" onSubmit={submit}>
        <Field
          label="Hours for which the old one still works"
          name="hours"
          type="number"
          min={0}
          step="any"
          required
          defaultValue="24"
        />
      </Form>
    </Dialog>
  );
}

interface Made {
  readonly credential: Credential;
  readonly sealed_secret_key: string;
}

async function issueKey(path: string, asked: object): Promise<NewKey> {
  const { made, secret } = await issue<Made>(path, asked, ({ credential, sealed_secret_key }) => ({
    secret: sealed_secret_key,
    owner: `credential:${credential.access_key}`,
  }));
  return { accessKey: made.credential.access_key, secretKey: secret };
}

function Issued({ issued, onClose }: { readonly issued: NewKey; readonly onClose: () => void }) {
  return (
    <Dialog title="The new key" onClose={onClose}>
      <p>
        <strong>The secret is shown now and never again.</strong> It is kept nowhere but with whoever copies it.
      </p>
      <dl class="facts">
        <dt>Access key</dt>
        <dd>
          <Copy text={issued.accessKey} />
        </dd>
        <dt>Secret key</dt>
        <dd>
          <Copy text={issued.secretKey} />
        </dd>
      </dl>
    </Dialog>
  );
}
