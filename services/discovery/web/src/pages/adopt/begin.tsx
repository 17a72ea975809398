import { useState } from "preact/hooks";
import type { Backend } from "../../admin.ts";
import { api } from "../../api.ts";
import { loadCatalogue, type Provider } from "../../catalogue.ts";
import { Field, Form, Load, Select } from "../../components/index.ts";
import { codesIn, countryName } from "../../countries.ts";
import { explored } from "../../explorer/index.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { begin, listBackends, listTenants, proposal, register } from "./adoption.ts";

type Texts = Readonly<Record<string, string>>;

interface Known {
  readonly backends: readonly Backend[];
  readonly tenants: readonly string[];
  readonly providers: readonly Provider[];
  readonly quirks: readonly string[];
}

interface Props {
  /** `endpoint` and `bucket` of what was looked at. */
  readonly given: Texts;
}

export function Begin({ given }: Props) {
  const known = useResource(async (signal) => {
    const [backends, tenants, providers, words] = await Promise.all([
      listBackends(signal),
      listTenants(signal),
      loadCatalogue(),
      api.get<{ quirks: readonly string[] }>("/api/words", {}, signal),
    ]);
    return { backends, tenants, providers, quirks: words.quirks };
  });
  return (
    <>
      <p>
        <a href={link("adopt")}>Bring under management</a>
      </p>
      <h1>Adopt {given.bucket ? `“${given.bucket}”` : "a bucket"}</h1>
      <Load resource={known} what="Asking what is registered">
        {(it) => <Steps given={given} known={it} />}
      </Load>
    </>
  );
}

/** Where the bucket is, then what it becomes. */
function Steps({ given, known }: Props & { known: Known }) {
  const there = known.backends.filter((it) => it.endpoint === given.endpoint);
  const [chosen, choose] = useState<Backend | undefined>(there[0]);
  const [isNew, setNew] = useState(there.length === 0);
  return (
    <>
      <h2>1. Where it is</h2>
      {chosen && !isNew ? (
        <Chosen backend={chosen} onOther={() => setNew(true)} />
      ) : (
        <>
          {known.backends.length > 0 && (
            <Registered
              backends={known.backends}
              onChoose={(it) => {
                choose(it);
                setNew(false);
              }}
            />
          )}
          <Register
            given={given}
            known={known}
            onRegistered={(it) => {
              choose(it);
              setNew(false);
            }}
          />
        </>
      )}
      {chosen && !isNew && (
        <>
          <h2>2. What it becomes</h2>
          <Becoming given={given} tenants={known.tenants} backend={chosen} />
        </>
      )}
    </>
  );
}

function Chosen({ backend: it, onOther }: { backend: Backend; onOther: () => void }) {
  return (
    <>
      <p>
        At the backend <strong>{it.backend_id}</strong>, {it.endpoint}, in {countryName(it.country)}, which answers to{" "}
        {it.jurisdictions.join(", ")}. Its credentials are with the metadata service already.
      </p>
      <button type="button" class="button" onClick={onOther}>
        It is elsewhere
      </button>
    </>
  );
}

function Registered({ backends, onChoose }: { backends: readonly Backend[]; onChoose: (it: Backend) => void }) {
  return (
    <>
      <h3>At a backend that is registered</h3>
      <Form
        action="It is there"
        onSubmit={({ known }) => {
          const found = backends.find((it) => it.backend_id === known);
          if (found) onChoose(found);
        }}
      >
        <Select label="Backend" name="known">
          {backends.map((it) => (
            <option key={it.backend_id} value={it.backend_id}>
              {it.backend_id}: {it.endpoint}
            </option>
          ))}
        </Select>
      </Form>
      <h3>Somewhere else</h3>
    </>
  );
}

function Register({ given, known, onRegistered }: Props & { known: Known; onRegistered: (it: Backend) => void }) {
  const told = proposal(known.providers, given.endpoint ?? "");
  const seen = explored.value.find((it) => it.endpoint === given.endpoint);
  async function submit(values: Texts) {
    const { secret_key = "", jurisdictions = "", country = "", ...rest } = values;
    const text = (name: string) => (rest[name] ?? "").trim();
    const registration = {
      backend_id: text("backend_id"),
      provider: text("provider"),
      endpoint: text("endpoint"),
      country: country.trim().toUpperCase(),
      jurisdictions: codesIn(jurisdictions),
      region: text("region"),
      addressing: text("addressing"),
      quirks: text("quirks"),
      access_key: text("access_key"),
    };
    if (known.backends.some((it) => it.backend_id === registration.backend_id)) {
      throw new Error(`There is a backend ${registration.backend_id} already: choose another id.`);
    }
    onRegistered(await register(registration, secret_key.trim()));
  }
  return (
    <>
      <p>
        This is the one step in which a secret key leaves this tab. It is sealed here, for the metadata service alone: nothing on
        the way can read it, this service included.
      </p>
      <Form action="Hand the credentials over" onSubmit={submit}>
        <Field
          label="Endpoint"
          name="endpoint"
          type="url"
          required
          defaultValue={told.endpoint}
          placeholder="https://s3.example.com"
        />
        <Field
          label="Id"
          name="backend_id"
          required
          pattern="[a-z0-9][a-z0-9\-]{0,30}"
          defaultValue={told.backend_id}
          hint="a-z, 0-9 and -"
        />
        <Field label="Provider" name="provider" required pattern="[a-z0-9][a-z0-9\-]{0,30}" defaultValue={told.provider} />
        <Field
          label="Country"
          name="country"
          required
          defaultValue={told.country}
          hint="Where the bytes are: ISO 3166-1, such as FI. You state it, and policies build on it."
        />
        <Field
          label="Its operator answers to"
          name="jurisdictions"
          required
          defaultValue={told.jurisdictions?.join(", ")}
          hint="The countries of its operator and of whoever controls it, such as DE, US."
        />
        <Field label="Region" name="region" required defaultValue={seen?.region ?? told.region ?? "us-east-1"} />
        <Select label="Addressing" name="addressing">
          <option value="path">path: https://endpoint/bucket</option>
          <option value="virtual">virtual: https://bucket.endpoint</option>
        </Select>
        <Select label="Behaves like" name="quirks" hint="When in doubt generic, which takes nothing for granted.">
          {known.quirks.map((it) => (
            <option key={it} value={it} selected={it === "generic"}>
              {it}
            </option>
          ))}
        </Select>
        <Field label="Access key" name="access_key" required defaultValue={seen?.accessKey} />
        <Field label="Secret key" name="secret_key" type="password" required autocomplete="new-password" />
      </Form>
    </>
  );
}

function Becoming({ given, tenants, backend }: Props & { tenants: readonly string[]; backend: Backend }) {
  async function submit({ tenant = "", bucket = "", source = "", prefix = "", location = "" }: Texts) {
    const wanted = {
      tenant,
      bucket: bucket.trim(),
      backend: backend.backend_id,
      source: source.trim(),
      prefix,
      location: location.trim(),
    };
    const task = await begin(wanted);
    go(link("adopt", [task.task_id]));
  }
  return (
    <>
      <p>
        Its objects can be read through Domicile as soon as they are indexed, and are copied as the bucket's policy asks, never
        outside its lock. From then on, whoever overwrites or deletes one through Domicile removes it from the provider's bucket.
      </p>
      <Form action="Bring under management" onSubmit={submit}>
        <Field label="Bucket at the provider" name="source" required defaultValue={given.bucket} />
        <Field label="Only keys that begin with" name="prefix" hint="Empty: all of them." />
        <Select label="Tenant" name="tenant" required>
          {tenants.map((it) => (
            <option key={it} value={it}>
              {it}
            </option>
          ))}
        </Select>
        <Field
          label="Bucket of the tenant"
          name="bucket"
          required
          defaultValue={given.bucket}
          hint="It is made if it is not there."
        />
        <Field
          label="Countries, if it has to be made"
          name="location"
          hint="Such as fi,de or EU, the preferred ones first. Empty: as the tenant's policy says."
        />
      </Form>
    </>
  );
}
