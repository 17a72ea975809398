import { FEATURES, type Feature, type Provider, type Site } from "../../catalogue.ts";
import { Badge, type Column, Table } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { link } from "../../router.ts";
import { Source } from "./facts.tsx";

const UNKNOWN = <span class="quiet-text">not known</span>;

export function Details({ provider: it }: { readonly provider: Provider }) {
  return (
    <>
      <p>
        <a href={link("catalogue")}>Catalogue</a>
      </p>
      <h1>{it.name}</h1>
      <h2>Who it is</h2>
      <dl class="facts">
        <dt>The contract is with</dt>
        <dd>
          {it.entity ? (
            <>
              {it.entity.name}, {countryName(it.entity.country)} <Source of={it.entity} />
            </>
          ) : (
            UNKNOWN
          )}
        </dd>
        <dt>Controlled by</dt>
        <dd>
          {it.ownership ? (
            <>
              {it.ownership.parents.map((each) => `${each.name}, ${countryName(each.country)}`).join("; ") || "nobody else"}{" "}
              <Source of={it.ownership} />
            </>
          ) : (
            UNKNOWN
          )}
        </dd>
        <dt>Endpoints</dt>
        <dd>{it.endpoint_pattern ? <code>{it.endpoint_pattern}</code> : UNKNOWN}</dd>
        <dt>Certified</dt>
        <dd>
          {it.certifications.length
            ? it.certifications.map((each) => (
                <div key={each.name}>
                  {each.name} <Source of={each} />
                </div>
              ))
            : UNKNOWN}
        </dd>
      </dl>
      <h2>What its S3 can do</h2>
      {it.features ? (
        <>
          <ul class="badges">
            {(Object.keys(FEATURES) as Feature[]).map((name) => (
              <li key={name}>
                <Has name={FEATURES[name]} value={it.features?.[name]} />
              </li>
            ))}
          </ul>
          <p>
            <Source of={it.features} />
          </p>
        </>
      ) : (
        <p>{UNKNOWN}</p>
      )}
      <h2>Where it is</h2>
      <Table label={`Sites of ${it.name}`} columns={SITES} rows={it.sites} sort={{ column: "country", descending: false }} />
      <div class="actions">
        <a class="button" href={link("sovereignty")}>
          Check where data may live
        </a>
      </div>
    </>
  );
}

function Has({ name, value }: { name: string; value: boolean | null | undefined }) {
  if (value == null) return <Badge>{name}: not known</Badge>;
  return value ? <Badge tone="good">{name}</Badge> : <Badge tone="bad">no {name.toLowerCase()}</Badge>;
}

const SITES: readonly Column<Site>[] = [
  { name: "site", title: "Site", show: (it) => it.site, by: (it) => it.site, width: "minmax(5rem, 1fr)" },
  {
    name: "country",
    title: "Country",
    show: (it) => (it.country ? countryName(it.country) : UNKNOWN),
    by: (it) => it.country ?? "",
    width: "minmax(9rem, 1fr)",
  },
  { name: "city", title: "City", show: (it) => it.city ?? UNKNOWN, by: (it) => it.city ?? "" },
  {
    name: "region",
    title: "Region",
    show: (it) => it.region ?? UNKNOWN,
    by: (it) => it.region ?? "",
    width: "minmax(5rem, 1fr)",
  },
  { name: "endpoint", title: "Endpoint", show: (it) => it.endpoint ?? UNKNOWN, width: "minmax(18rem, 3fr)" },
  {
    name: "source",
    title: "Source",
    show: (it) => <Source of={it} />,
    by: (it) => Number(it.checked),
    width: "minmax(17rem, 2fr)",
  },
];
