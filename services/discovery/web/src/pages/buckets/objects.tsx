import { useState } from "preact/hooks";
import type { ObjectCopy, Version, VersionPage } from "../../admin.ts";
import { api } from "../../api.ts";
import {
  Badge,
  Bytes,
  type Column,
  Copy,
  Dialog,
  Empty,
  LoadPages,
  Table,
  Time,
  type Tone,
  Typed,
} from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { usePages } from "../../resource.ts";
import { go, link, type Route } from "../../router.ts";
import { seesAll } from "../../session.ts";
import { quoted } from "../../shell.ts";

const DELIMITER = "/";
const LIMIT = 200;
const STATES: Readonly<Record<ObjectCopy["state"], Tone>> = {
  verified: "good",
  stored: "good",
  wanted: "warn",
  lost: "bad",
  deleting: "warn",
};

interface Props {
  readonly tenant: string;
  readonly bucket: string;
  readonly query: Route["query"];
}

type Entry = { readonly prefix: string } | Version;

/** Folders and versions below `?prefix=`. */
export function Objects({ tenant, bucket, query }: Props) {
  const prefix = query.prefix ?? "";
  const [chosen, setChosen] = useState<Version>();
  const asked = { tenant, bucket, prefix, delimiter: DELIMITER, limit: LIMIT };
  const versions = usePages(
    (after: VersionPage | undefined, signal) =>
      api.get<VersionPage>(
        "/api/objects",
        { ...asked, after_key: after?.after_key, after_version: after?.after_version },
        signal,
      ),
    (page) => (page.truncated ? page : undefined),
    [tenant, bucket, prefix],
  );
  const open = (to: string) => go(link("buckets", [tenant, bucket], { prefix: to }));
  return (
    <>
      <Crumbs prefix={prefix} href={(to) => link("buckets", [tenant, bucket], { prefix: to })} />
      <div class="filters">
        <Typed label="Keys that begin with" value={prefix} onCommit={open} />
      </div>
      <LoadPages pages={versions} more="More objects">
        {(pages) => {
          const entries = pages.flatMap((it): Entry[] => [...it.prefixes.map((folder) => ({ prefix: folder })), ...it.versions]);
          return entries.length ? (
            <Table label="Objects" rows={entries} columns={columnsOf(prefix, open, setChosen)} />
          ) : (
            <Empty title={prefix ? "No key begins with this." : "The bucket is empty."} />
          );
        }}
      </LoadPages>
      {chosen && <Copies version={chosen} tenant={tenant} bucket={bucket} onClose={() => setChosen(undefined)} />}
    </>
  );
}

function Crumbs({ prefix, href }: { readonly prefix: string; readonly href: (prefix: string) => string }) {
  const folders = prefix.split(DELIMITER).slice(0, -1);
  if (!folders.length) return null;
  return (
    <nav aria-label="Folders">
      <a href={href("")}>All</a>
      {folders.map((folder, index) => {
        const to = folders.slice(0, index + 1).join(DELIMITER) + DELIMITER;
        return (
          <span key={to}>
            {" / "}
            <a href={href(to)}>{folder || "(empty)"}</a>
          </span>
        );
      })}
    </nav>
  );
}

function columnsOf(prefix: string, open: (prefix: string) => void, choose: (version: Version) => void): readonly Column<Entry>[] {
  const version = (show: (it: Version) => ReturnType<Column<Entry>["show"]>) => (it: Entry) => ("prefix" in it ? "" : show(it));
  return [
    {
      name: "key",
      title: "Key",
      width: "minmax(14rem, 3fr)",
      show: (it) =>
        "prefix" in it ? (
          <button type="button" class="sort" onClick={() => open(it.prefix)}>
            {it.prefix.slice(prefix.length)}
          </button>
        ) : (
          <button type="button" class="sort" onClick={() => choose(it)} title={it.key}>
            {it.key.slice(prefix.length) || "(as the folder)"}
          </button>
        ),
    },
    {
      name: "copies",
      title: "Copies",
      width: "minmax(12rem, 2fr)",
      show: version((it) =>
        it.is_delete_marker ? "delete marker" : it.copies.map((copy) => <CopyBadge key={copy.backend_id} copy={copy} />),
      ),
    },
    { name: "size", title: "Size", end: true, show: version((it) => (it.is_delete_marker ? "" : <Bytes of={it.size} />)) },
    { name: "written", title: "Written", width: "minmax(10.5rem, 1fr)", show: version((it) => <Time at={it.last_modified} />) },
    { name: "latest", title: "Version", show: version((it) => (it.is_latest ? "current" : "older")) },
  ];
}

function CopyBadge({ copy }: { readonly copy: ObjectCopy }) {
  return (
    <>
      <Badge tone={STATES[copy.state]}>
        {copy.country} {copy.state}
      </Badge>{" "}
    </>
  );
}

const COPIES: readonly Column<ObjectCopy>[] = [
  { name: "backend", title: "Backend", width: "minmax(4.5rem, 1fr)", show: (it) => it.backend_id },
  { name: "country", title: "Country", width: "minmax(7rem, 2fr)", show: (it) => countryName(it.country) },
  { name: "state", title: "State", width: "minmax(5rem, 1fr)", show: (it) => <Badge tone={STATES[it.state]}>{it.state}</Badge> },
  { name: "since", title: "Since", width: "minmax(5rem, 1fr)", show: (it) => <Time at={it.since} ago /> },
  {
    name: "verified",
    title: "Last verified",
    width: "minmax(7rem, 1fr)",
    show: (it) => (it.verified_at ? <Time at={it.verified_at} ago /> : "not yet"),
  },
];

interface CopiesProps {
  readonly version: Version;
  readonly tenant: string;
  readonly bucket: string;
  readonly onClose: () => void;
}

function Copies({ version, tenant, bucket, onClose }: CopiesProps) {
  return (
    <Dialog title={version.key} onClose={onClose}>
      <dl class="facts">
        <dt>Version</dt>
        <dd>
          <code>{version.version_id}</code>
        </dd>
        <dt>Size</dt>
        <dd>
          <Bytes of={version.size} />, {version.storage_class}
        </dd>
        <dt>ETag</dt>
        <dd>
          <code>{version.etag}</code>
        </dd>
        <dt>Written</dt>
        <dd>
          <Time at={version.last_modified} />
        </dd>
        {version.reason && (
          <>
            <dt>Why there</dt>
            <dd>{version.reason}</dd>
          </>
        )}
      </dl>
      <Table label="Copies" rows={version.copies} columns={COPIES} />
      {version.is_latest && seesAll() && (
        <Copy text={`domicile buckets placement ${quoted(`${tenant}/${bucket}`)} ${quoted(version.key)}`} />
      )}
    </Dialog>
  );
}
