import { useState } from "preact/hooks";
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
import { isOperator, managesTenants, session } from "../../session.ts";

interface Token {
  readonly token_id: string;
  readonly name: string;
  readonly role: "operator" | "auditor" | "tenant_admin";
  readonly tenant_id: string | null;
  readonly created_at: string;
  readonly expires_at: string;
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
}

const COLUMNS: readonly Column<Token>[] = [
  { name: "name", title: "Name", width: "minmax(9rem, 2fr)", by: (it) => it.name, show: (it) => it.name },
  { name: "role", title: "Role", width: "minmax(8rem, 1fr)", by: (it) => it.role, show: (it) => it.role.replace("_", " ") },
  { name: "tenant", title: "Tenant", by: (it) => it.tenant_id ?? "", show: (it) => it.tenant_id ?? "" },
  { name: "state", title: "State", show: (it) => <TokenState of={it} /> },
  {
    name: "used",
    title: "Last used",
    by: (it) => it.last_used_at ?? "",
    show: (it) => (it.last_used_at ? <Time at={it.last_used_at} ago /> : "never"),
  },
  {
    name: "expires",
    title: "Expires",
    width: "minmax(10.5rem, 1fr)",
    by: (it) => it.expires_at,
    show: (it) => <Time at={it.expires_at} />,
  },
];

function TokenState({ of: token }: { readonly of: Token }) {
  if (token.revoked_at !== null) return <Badge tone="bad">revoked</Badge>;
  return Date.parse(token.expires_at) <= Date.now() ? <Badge tone="bad">expired</Badge> : <Badge tone="good">active</Badge>;
}

export default function Tokens() {
  const tokens = useResource((signal) => api.get<{ tokens: Token[] }>("/api/tokens", { limit: 1000 }, signal));
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<string>();
  const [ending, setEnding] = useState<Token>();
  const columns = managesTenants() ? [...COLUMNS, actions(setEnding)] : COLUMNS;
  return (
    <>
      <h1>Tokens</h1>
      <p>
        What people and programs show to the admin API in place of the admin key: each has a role, ends by itself, and can be
        revoked alone.
      </p>
      {managesTenants() && (
        <div class="actions">
          <Button kind="primary" onClick={() => setMaking(true)}>
            New token…
          </Button>
        </div>
      )}
      <Load resource={tokens}>
        {(data) =>
          data.tokens.length ? (
            <Table label="Tokens" rows={data.tokens} columns={columns} />
          ) : (
            <Empty title="There is no token yet." />
          )
        }
      </Load>
      {making && (
        <Make
          onClose={() => setMaking(false)}
          onMade={(made) => {
            setMaking(false);
            setSecret(made);
            tokens.reload();
          }}
        />
      )}
      {secret !== undefined && (
        <Dialog title="The new token" onClose={() => setSecret(undefined)}>
          <p>
            <strong>It is shown now and never again.</strong>
          </p>
          <Copy text={secret} />
        </Dialog>
      )}
      {ending && <Revoke token={ending} onClose={() => setEnding(undefined)} onDone={tokens.reload} />}
    </>
  );
}

function actions(revoke: (token: Token) => void): Column<Token> {
  return {
    name: "actions",
    title: "Actions",
    show: (it) => (
      <Button kind="quiet" onClick={() => revoke(it)} disabled={it.revoked_at !== null} aria-label={`Revoke ${it.name}`}>
        Revoke…
      </Button>
    ),
  };
}

const DAY = 86_400; // seconds

interface Made {
  readonly token: Token;
  readonly sealed_secret: string;
}

function Make({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: (secret: string) => void }) {
  const [role, setRole] = useState<Token["role"]>(isOperator() ? "auditor" : "tenant_admin");
  const submit = async ({ name, tenant, days }: Readonly<Record<string, string>>) => {
    const tenant_id = role === "tenant_admin" ? { tenant_id: tenant ?? session.value?.tenant_id } : {};
    const asked = { name, role, expires_in_seconds: Math.round(Number(days) * DAY), ...tenant_id };
    const { secret } = await issue<Made>("/api/tokens", asked, ({ token, sealed_secret }) => ({
      secret: sealed_secret,
      owner: `token:${token.token_id}`,
    }));
    onMade(secret);
  };
  return (
    <Dialog title="New token" onClose={onClose}>
      <Form action="Make the token" onSubmit={submit}>
        <Field label="Name" name="name" required hint="Whose it is, or what for" />
        {isOperator() && (
          <Select label="Role" value={role} onChange={(event) => setRole(event.currentTarget.value as Token["role"])}>
            <option value="auditor">auditor: sees everything, changes nothing</option>
            <option value="tenant_admin">tenant admin: keys and policies of one tenant</option>
            <option value="operator">operator: everything</option>
          </Select>
        )}
        {isOperator() && role === "tenant_admin" && <Field label="Tenant" name="tenant" required />}
        <Field
          label="Days until it expires"
          name="days"
          type="number"
          min={0.001}
          max={366}
          step="any"
          required
          defaultValue="90"
        />
      </Form>
    </Dialog>
  );
}

function Revoke({
  token,
  onClose,
  onDone,
}: {
  readonly token: Token;
  readonly onClose: () => void;
  readonly onDone: () => void;
}) {
  const revoke = async () => {
    await api.delete(at`/api/tokens/${token.token_id}`);
    done(`The token ${token.name} is revoked.`);
    onClose();
    onDone();
  };
  return (
    <Dialog title={`Revoke ${token.name}`} onClose={onClose}>
      <p>It ends at once and for good, with all sessions that began with it.</p>
      <Button kind="danger" onClick={revoke}>
        Revoke it
      </Button>
    </Dialog>
  );
}
