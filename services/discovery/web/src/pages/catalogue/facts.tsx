import type { Fact } from "../../catalogue.ts";
import { Badge } from "../../components/index.ts";

/** Where a fact comes from, since when it stands here, and whether somebody has read it there. */
export function Source({ of: fact }: { readonly of: Fact }) {
  return (
    <span class="source">
      <Badge tone={fact.checked ? "good" : "warn"}>{fact.checked ? "checked" : "not checked"}</Badge>{" "}
      <a href={fact.source} target="_blank" rel="noreferrer">
        {new URL(fact.source).hostname}
      </a>{" "}
      <span class="quiet-text">{fact.noted}</span>
    </span>
  );
}
