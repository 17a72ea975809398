import { FEATURES, type Feature, jurisdictions, loadCatalogue, ownersKnown, type Provider } from "../../catalogue.ts";
import { type Column, Empty, Field, Load, Select, Table } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import type { PageProps } from "../index.ts";
import { Details } from "./details.tsx";
import { chosen, type Filter } from "./filter.ts";
import "./catalogue.css";

export default function Catalogue({ route }: PageProps) {
  const resource = useResource(loadCatalogue);
  return (
    <Load resource={resource} what="Reading the catalogue">
      {(providers) => {
        const [name] = route.path;
        if (name === undefined) return <All providers={providers} filter={route.query} />;
        const provider = providers.find((it) => it.provider === name);
        return provider ? <Details provider={provider} /> : <Unknown name={name} />;
      }}
    </Load>
  );
}

function Unknown({ name }: { name: string }) {
  return (
    <>
      <h1>Catalogue</h1>
      <Empty title={`The catalogue has no provider ${name}.`}>
        <a href={link("catalogue")}>To all providers</a>
      </Empty>
    </>
  );
}

function All({ providers, filter }: { providers: readonly Provider[]; filter: Filter }) {
  const found = chosen(providers, filter);
  const sites = providers.flatMap((it) => it.sites);
  const set = (change: Filter) =>
    go(link("catalogue", [], { ...filter, ...change } as Record<string, string>), { replace: true });
  return (
    <>
      <h1>Catalogue</h1>
      <p class="lead">
        {providers.length} providers of S3, {sites.length} sites in {codes(sites.map((it) => it.country)).length} countries.
      </p>
      <p>
        Each fact has its source and the day on which it was entered. What nobody has read at its source is marked as not checked,
        and never speaks for a place; what is not known is left open.
      </p>
      <div class="filters">
        <Field label="Search" type="search" value={filter.q ?? ""} onInput={(event) => set({ q: event.currentTarget.value })} />
        <Choice
          label="Has a site in"
          options={codes(sites.map((it) => it.country)).map((code) => [code, countryName(code)])}
          value={filter.country}
          onChoose={(country) => set({ country })}
        />
        <Choice
          label="Does not answer to"
          options={codes(providers.flatMap(jurisdictions)).map((code) => [code, countryName(code)])}
          value={filter.without}
          onChoose={(without) => set({ without })}
        />
        <Choice label="Has" options={Object.entries(FEATURES)} value={filter.feature} onChoose={(feature) => set({ feature })} />
      </div>
      {found.length ? (
        <Table label="Providers" columns={COLUMNS} rows={found} sort={{ column: "name", descending: false }} />
      ) : (
        <Empty title="No provider is like that.">
          <a href={link("catalogue")}>Show all</a>
        </Empty>
      )}
    </>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly options: readonly (readonly [string, string])[];
  readonly value: string | undefined;
  readonly onChoose: (value: string) => void;
}

function Choice({ label, options, value = "", onChoose }: ChoiceProps) {
  return (
    <Select label={label} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
      <option value="">–</option>
      {options.map(([code, text]) => (
        <option key={code} value={code}>
          {text}
        </option>
      ))}
    </Select>
  );
}

function codes(values: readonly (string | null)[]): readonly string[] {
  const known = values.filter((it) => it !== null);
  return [...new Set(known)].toSorted((a, b) => countryName(a).localeCompare(countryName(b)));
}

const COLUMNS: readonly Column<Provider>[] = [
  {
    name: "name",
    title: "Provider",
    show: (it) => <a href={link("catalogue", [it.provider])}>{it.name}</a>,
    by: (it) => it.name,
    width: "minmax(14rem, 2fr)",
  },
  { name: "sites", title: "Sites", show: (it) => it.sites.length, by: (it) => it.sites.length, width: "4rem", end: true },
  {
    name: "countries",
    title: "In",
    width: "minmax(9rem, 1.2fr)",
    show: (it) => codes(it.sites.map((site) => site.country)).join(", ") || "not known",
    by: (it) => codes(it.sites.map((site) => site.country)).length,
  },
  {
    name: "law",
    title: "Answers to",
    width: "minmax(11rem, 1.3fr)",
    show: (it) => [...jurisdictions(it), ...(ownersKnown(it) ? [] : ["perhaps others"])].join(", "),
    by: (it) => jurisdictions(it).join(),
  },
  ...(Object.keys(FEATURES) as Feature[]).slice(0, 2).map((name) => ({
    name,
    title: FEATURES[name],
    show: (it: Provider) => answer(it.features?.[name]),
    by: (it: Provider) => answer(it.features?.[name]),
    width: "6rem",
  })),
  {
    name: "certifications",
    title: "Certified",
    width: "minmax(5rem, 0.5fr)",
    show: (it) => it.certifications.map((each) => each.name).join(", ") || "–",
    by: (it) => -it.certifications.length,
  },
];

function answer(value: boolean | null | undefined): string {
  return value == null ? "not known" : value ? "yes" : "no";
}
