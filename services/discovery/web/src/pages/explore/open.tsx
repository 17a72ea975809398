import { useState } from "preact/hooks";
import { loadCatalogue } from "../../catalogue.ts";
import { Field, Form, Select } from "../../components/index.ts";
import { open } from "../../explorer/index.ts";
import { useResource } from "../../resource.ts";
import { session } from "../../session.ts";

export interface Wanted {
  readonly name: string;
  readonly endpoint: string;
  readonly region: string;
}

export function OpenAccount({ wanted, onOpened }: { readonly wanted: Wanted | undefined; readonly onOpened: () => void }) {
  const [endpoint, setEndpoint] = useState(wanted?.endpoint ?? "");
  const [region, setRegion] = useState(wanted?.region ?? "");
  const catalogue = useResource(loadCatalogue);
  const sites = (catalogue.data ?? []).flatMap(({ name, sites }) => sites.map((it) => ({ ...it, provider: name })));
  const relay = session.value?.relay ?? false;

  function chosen(typed: string) {
    setEndpoint(typed);
    const site = sites.find((it) => it.endpoint === typed);
    if (site?.region) setRegion(site.region);
  }

  async function submit(values: Readonly<Record<string, string>>) {
    const origin = originOf(values.endpoint ?? "");
    await open({
      name: values.name?.trim() || new URL(origin).hostname,
      endpoint: origin,
      region: values.region?.trim() || "us-east-1",
      accessKey: values.access_key?.trim() ?? "",
      secretKey: values.secret_key?.trim() ?? "",
      sessionToken: values.session_token?.trim() ?? "",
      addressing: values.addressing === "virtual" ? "virtual" : "path",
      route: values.route === "direct" || values.route === "relay" ? values.route : "auto",
      named: (values.buckets ?? "").split(/[\s,]+/).filter(Boolean),
      relay,
    });
    onOpened();
  }

  return (
    <Form action="Open" onSubmit={submit}>
      <Field
        label="Endpoint"
        name="endpoint"
        required
        list="endpoints"
        inputMode="url"
        placeholder="https://s3.example.com"
        value={endpoint}
        onInput={(event) => chosen(event.currentTarget.value)}
        hint="Of the provider; those in the catalogue are offered as you type."
      />
      <datalist id="endpoints">
        {sites.map(
          ({ provider, site, city, country, endpoint }) =>
            endpoint && (
              <option key={`${provider}/${site}`} value={endpoint}>
                {[provider, city ?? site, country].filter(Boolean).join(", ")}
              </option>
            ),
        )}
      </datalist>
      <Field
        label="Region"
        name="region"
        placeholder="us-east-1"
        value={region}
        onInput={(event) => setRegion(event.currentTarget.value)}
        hint="What signatures are made for; us-east-1 where the provider has none."
      />
      <Field label="Access key" name="access_key" required />
      <Field
        label="Secret key"
        name="secret_key"
        type="password"
        required
        autocomplete="new-password"
        hint="Stays in this tab, as a key that signs and cannot be read back, and is gone when the tab is closed."
      />
      <details>
        <summary>More</summary>
        <div class="form">
          <Field
            label="Name"
            name="name"
            defaultValue={wanted?.name ?? ""}
            hint="What the account is called in this tab; the endpoint’s host otherwise."
          />
          <Field
            label="Session token"
            name="session_token"
            type="password"
            autocomplete="new-password"
            hint="Of temporary credentials."
          />
          <Field label="Buckets" name="buckets" hint="Their names, where the key may not list them." />
          <Select label="Buckets are named" name="addressing">
            <option value="path">in the path</option>
            <option value="virtual">in the host’s name</option>
          </Select>
          <Select
            label="Requests go"
            name="route"
            hint={
              relay
                ? "What is relayed is signed here, for one listing, and good for 5 minutes."
                : "The service relays only for those who have signed in."
            }
          >
            <option value="auto">to the provider, or through the service where the provider allows no other pages</option>
            <option value="direct">to the provider only</option>
            {relay && <option value="relay">through the service only</option>}
          </Select>
        </div>
      </details>
    </Form>
  );
}

function originOf(text: string): string {
  const typed = text.trim();
  const url = URL.parse(/^https?:\/\//.test(typed) ? typed : `https://${typed}`);
  if (!url || !/^[a-z0-9.:[\]-]+$/.test(url.host)) throw new Error("The endpoint is no address, such as https://s3.example.com.");
  return url.origin;
}
