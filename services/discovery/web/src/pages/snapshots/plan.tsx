import { Badge, Bytes, type Column, Copy, Empty, Load, Table } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { formatCount, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { seesAll } from "../../session.ts";
import { quoted } from "../../shell.ts";
import { QuestionForm } from "../sovereignty/form.tsx";
import { Place } from "../sovereignty/place.tsx";
import { asArguments, type Question, questionOf, textsOf } from "../sovereignty/question.ts";
import { shortened } from "../sovereignty/ranking.ts";
import { titleOf } from "./list.tsx";
import { type Amount, type Move, type Plan, planMoves, showSnapshot } from "./snapshots.ts";

type Texts = Readonly<Record<string, string>>;

export function MovePlan({ id, query }: { readonly id: string; readonly query: Texts }) {
  const shown = useResource((signal) => showSnapshot(id, signal), [id]);
  const asked = Object.keys(query).length > 0;
  const question = questionOf(asked ? query : { among: seesAll() ? "backends" : "catalogue" });
  return (
    <>
      <p>
        <a href={link("snapshots")}>Snapshots</a> /{" "}
        <a href={link("snapshots", [id])}>{shown.data ? titleOf(shown.data.snapshot) : id}</a>
      </p>
      <h1>What would have to move?</h1>
      <div class="asking">
        <QuestionForm
          key={JSON.stringify(question)}
          question={question}
          action="Make the plan"
          onAsk={(it) => go(link("snapshots", [id, "plan"], textsOf(it)))}
        />
        {asked ? <Answer id={id} question={question} /> : <Empty title="Say what the data needs." />}
      </div>
    </>
  );
}

function Answer({ id, question }: { id: string; question: Question }) {
  const resource = useResource((signal) => planMoves(id, question, signal), [id, JSON.stringify(question)]);
  const line = `domicile snapshots plan ${quoted(id)} ${asArguments(question)}`;
  return (
    <section aria-labelledby="plan" aria-live="polite">
      <h2 id="plan">The plan</h2>
      <Load resource={resource} what="Planning">
        {({ plan, truncated }) => (
          <>
            {truncated && (
              <p class="notice" role="note">
                <Badge tone="warn">truncated</Badge> The snapshot does not hold everything, and of the rest this plan says
                nothing.
              </p>
            )}
            <Planned plan={plan} />
            <h2>The same from a shell</h2>
            <Copy text={line} />
          </>
        )}
      </Load>
    </section>
  );
}

function Planned({ plan }: { plan: Plan }) {
  return (
    <>
      <dl class="facts">
        <dt>Where it is now</dt>
        <dd>
          {plan.source ? (
            <>
              <Place id={plan.source.id} /> {plan.source.country && countryName(plan.source.country)}
            </>
          ) : (
            "not known"
          )}{" "}
          {plan.source_reason === null ? <Badge tone="good">may stay</Badge> : <Badge tone="warn">may not stay</Badge>}
          {plan.source_reason !== null && <div class="quiet-text">{shortened(plan.source_reason)}</div>}
        </dd>
        <dt>Would be read from there</dt>
        <dd>
          <Size of={plan.read} />
        </dd>
        <dt>Refused</dt>
        <dd>{plan.refused.objects ? <Size of={plan.refused} /> : "nothing"}</dd>
      </dl>
      <h3>What would be written where</h3>
      {plan.targets.length ? (
        <Table label="Targets" columns={TARGETS} rows={plan.targets} sort={{ column: "bytes", descending: true }} />
      ) : (
        <Empty title="No copy would be made." />
      )}
      <h3>Bucket by bucket</h3>
      <ul class="moves">
        {plan.moves.map((it) => (
          <Moved key={`${it.holding.bucket} ${it.holding.storage_class}`} move={it} />
        ))}
      </ul>
    </>
  );
}

function Size({ of: it }: { of: Amount }) {
  return (
    <>
      {formatThings(it.objects, "object")}, <Bytes of={it.bytes} />
    </>
  );
}

const TARGETS: readonly Column<Amount>[] = [
  { name: "id", title: "Place", show: (it) => <Place id={it.id} />, by: (it) => it.id },
  { name: "objects", title: "Objects", show: (it) => formatCount(it.objects), by: (it) => it.objects, end: true },
  { name: "bytes", title: "Size", show: (it) => <Bytes of={it.bytes} />, by: (it) => it.bytes, end: true },
];

function Moved({ move: { holding, targets, stays, refusal } }: { move: Move }) {
  return (
    <li class="card">
      <strong>{holding.bucket}</strong> {holding.storage_class}: {formatThings(holding.objects, "object")},{" "}
      <Bytes of={holding.bytes} />
      <div>
        {refusal !== null ? (
          <>
            <Badge tone="bad">refused</Badge> {shortened(refusal)}
          </>
        ) : (
          <>
            {stays && <Badge tone="good">stays where it is</Badge>}{" "}
            {targets.length > 0 && (
              <>
                copied to{" "}
                {targets.map((id, at) => (
                  <span key={id}>
                    {at > 0 && ", "}
                    <Place id={id} />
                  </span>
                ))}
              </>
            )}
            {!stays && targets.length === 0 && "nothing to do"}
          </>
        )}
      </div>
    </li>
  );
}
