import { Badge, Load } from "../../components/index.ts";
import type { Setting } from "../../explorer/index.ts";
import { useResource } from "../../resource.ts";
import type { BucketProps } from "./bucket.tsx";

const STATES = {
  set: ["good", "set"],
  none: ["plain", "not set"],
  hidden: ["warn", "this key may not see it"],
  failed: ["bad", "failed"],
} as const;

export function Settings({ account, bucket }: BucketProps) {
  const settings = useResource(() => account.worker.settings(bucket), [account.name, bucket]);
  return (
    <Load resource={settings} what="Asking for its settings">
      {(all) => (
        <ul class="cards settings">
          {all.map((it) => (
            <li key={it.name}>
              <Shown setting={it} />
            </li>
          ))}
        </ul>
      )}
    </Load>
  );
}

function Shown({ setting }: { readonly setting: Setting }) {
  const [tone, words] = STATES[setting.state];
  return (
    <>
      <h2>
        {setting.title} <Badge tone={tone}>{words}</Badge>
      </h2>
      <dl class="facts">
        {setting.facts.map(([name, value], index) => (
          <div key={index} class={name ? "fact" : "document"}>
            {name && <dt>{name}</dt>}
            <dd>{name ? value : <pre>{value}</pre>}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
