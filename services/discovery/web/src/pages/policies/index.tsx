import { useState } from "preact/hooks";
import { levelPath, type Policy, type PolicyView, type Preview, preview } from "../../admin.ts";
import { api } from "../../api.ts";
import { Button, done, Field, Form, Load, Select } from "../../components/index.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { managesTenants, seesAll, session } from "../../session.ts";
import { PreviewView } from "../backends/preview.tsx";
import type { PageProps } from "../index.ts";
import { policyOf, type Texts, textsOf } from "./document.ts";
import { EffectivePolicy } from "./effective.tsx";

interface Level {
  readonly tenant: string | undefined;
  readonly bucket: string | undefined;
}

export default function Policies({ route }: PageProps) {
  const all = seesAll();
  const [tenant = all ? undefined : (session.value?.tenant_id ?? undefined), bucket] = route.path;
  const level = { tenant, bucket };
  const view = useResource((signal) => api.get<PolicyView>(levelPath(tenant, bucket), {}, signal), [tenant, bucket]);
  return (
    <>
      <h1>Policy of {nameOf(level)}</h1>
      <Levels level={level} />
      <Load resource={view}>
        {(data) => (
          <div class="columns">
            <section>
              <h2>{managesTenants() ? "This level" : "What this level demands"}</h2>
              {managesTenants() ? (
                <Editor key={`${tenant}/${bucket}/${data.version}`} level={level} policy={data.policy} onSaved={view.reload} />
              ) : (
                <pre>{data.policy ? JSON.stringify(data.policy, null, 2) : "Nothing: it is as the level above says."}</pre>
              )}
            </section>
            <section>
              <h2>What it amounts to</h2>
              {tenant !== undefined && <p>With the levels above. Each can only narrow where data may be.</p>}
              <EffectivePolicy view={data} />
            </section>
          </div>
        )}
      </Load>
    </>
  );
}

function nameOf({ tenant, bucket }: Level): string {
  return tenant === undefined ? "the installation" : bucket === undefined ? tenant : `${tenant}/${bucket}`;
}

function Levels({ level: { tenant, bucket } }: { readonly level: Level }) {
  const all = seesAll();
  const [wanted, setWanted] = useState("");
  const open = () => go(link("policies", wanted.split("/", 2).filter(Boolean)));
  return (
    <nav aria-label="Levels">
      {tenant !== undefined && (
        <p>
          {all && <a href={link("policies")}>The installation</a>}
          {all && " / "}
          {bucket === undefined ? tenant : <a href={link("policies", [tenant])}>{tenant}</a>}
          {bucket !== undefined && ` / ${bucket}`}
        </p>
      )}
      {all && (
        <div class="filters">
          <Field
            label="Another level"
            value={wanted}
            placeholder="tenant[/bucket]"
            onInput={(event) => setWanted(event.currentTarget.value)}
          />
          <Button onClick={open}>Open</Button>
        </div>
      )}
    </nav>
  );
}

interface EditorProps {
  readonly level: Level;
  readonly policy: Policy | null;
  readonly onSaved: () => void;
}

/** What was tried can be saved, and only that. */
function Editor({ level, policy, onSaved }: EditorProps) {
  const [tried, setTried] = useState<{ readonly policy: Policy; readonly preview: Preview }>();
  const attempt = async (texts: Texts) => {
    setTried(undefined);
    const wanted = policyOf(texts, policy);
    setTried({ policy: wanted, preview: await preview({ ...level, policy: wanted }) });
  };
  const save = async () => {
    await api.put(levelPath(level.tenant, level.bucket), tried?.policy);
    done(`The policy of ${nameOf(level)} holds from now on; what exists follows.`);
    onSaved();
  };
  return (
    <div onInput={() => setTried(undefined)}>
      <Form action="Try it" onSubmit={attempt}>
        <Fields policy={policy} outermost={level.tenant === undefined} />
      </Form>
      {tried && (
        <>
          <h3>What would happen</h3>
          <PreviewView preview={tried.preview} />
          <Button kind="primary" onClick={save}>
            Save the policy
          </Button>
        </>
      )}
    </div>
  );
}

function Fields({ policy, outermost }: { readonly policy: Policy | null; readonly outermost: boolean }) {
  const texts = textsOf(policy);
  const empty = outermost ? "the default" : "as above";
  return (
    <>
      <p class="hint">{outermost ? "What is empty is not demanded." : "What is empty is as the level above says."}</p>
      <Field
        label="Countries"
        name="region_lock"
        defaultValue={texts.region_lock}
        hint="ISO codes or groups (FI, DE, EU), the most preferred first"
      />
      <Field
        label="Operators under the law of"
        name="operator_lock"
        defaultValue={texts.operator_lock}
        hint="All laws that an operator answers to must be among these"
      />
      <Field label="Copies" name="replica_count" inputMode="numeric" defaultValue={texts.replica_count} />
      <Select label="No two at the same" name="spread">
        {["", "backend", "provider", "country"].map((it) => (
          <option key={it} value={it} selected={it === texts.spread}>
            {it || empty}
          </option>
        ))}
      </Select>
      <Field
        label="Stored before a write is answered"
        name="write_quorum"
        inputMode="numeric"
        defaultValue={texts.write_quorum}
      />
      <Field label="Backends that a write streams to" name="write_width" inputMode="numeric" defaultValue={texts.write_width} />
      <Field
        label="Every copy within, in seconds"
        name="rpo_seconds"
        inputMode="numeric"
        defaultValue={texts.rpo_seconds}
        hint="Promised, measured, and alerted on"
      />
      <Select label="Names of new blobs at providers" name="layout">
        {["", "readable", "opaque"].map((it) => (
          <option key={it} value={it} selected={it === texts.layout}>
            {it || empty}
          </option>
        ))}
      </Select>
    </>
  );
}
