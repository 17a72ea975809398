import { useId } from "preact/hooks";
import { api } from "../../api.ts";
import { FEATURES } from "../../catalogue.ts";
import { Checkbox, Field, Form, Load, Select } from "../../components/index.ts";
import { useResource } from "../../resource.ts";
import { seesAll } from "../../session.ts";
import { type Question, questionOf, SPREADS } from "./question.ts";
import "./form.css";

interface Words {
  readonly countries: readonly string[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

interface Props {
  readonly question: Question;
  readonly action: string;
  readonly onAsk: (question: Question) => unknown;
}

/** What data needs: places, laws, copies, features. */
export function QuestionForm(props: Props) {
  const words = useResource((signal) => api.get<Words>("/api/words", {}, signal));
  return <Load resource={words}>{(known) => <Asking {...props} words={known} />}</Load>;
}

function Asking({ question, action, onAsk, words: { groups, countries } }: Props & { words: Words }) {
  const id = useId();
  const known = [...Object.keys(groups), ...countries];
  function check(codes: readonly string[]) {
    const strange = codes.find((code) => !known.includes(code));
    if (strange) throw new Error(`${strange} is neither a country of ISO 3166-1 nor a group.`);
  }
  async function ask(values: Readonly<Record<string, string>>) {
    const features = Object.keys(FEATURES).filter((name) => values[`has-${name}`]);
    const asked = questionOf({ ...values, features: features.join(",") });
    check(asked.where);
    check(asked.law);
    await onAsk(asked);
  }
  return (
    <Form action={action} onSubmit={ask}>
      <Field
        label="Where it may be"
        name="where"
        defaultValue={question.where.join(", ")}
        placeholder="anywhere"
        hint={`Countries or groups (${Object.keys(groups).join(", ")}), the preferred ones first.`}
        list={id}
      />
      <datalist id={id}>
        {known.map((code) => (
          <option key={code} value={code} />
        ))}
      </datalist>
      <Field
        label="Whose laws its keepers may answer to"
        name="law"
        defaultValue={question.law.join(", ")}
        placeholder="anybody's"
        hint="A Frankfurt site of a company owned in the US answers to DE and US."
        list={id}
      />
      <Field label="Copies" name="copies" type="number" min="1" max="16" required defaultValue={question.copies} />
      <Select label="Which are kept" name="spread">
        {Object.entries(SPREADS).map(([value, text]) => (
          <option key={value} value={value} selected={value === question.spread}>
            {text}
          </option>
        ))}
      </Select>
      <fieldset class="checks">
        <legend>Each place must have</legend>
        {Object.entries(FEATURES).map(([name, text]) => (
          <Checkbox key={name} name={`has-${name}`} label={text} checked={question.features.some((it) => it === name)} />
        ))}
      </fieldset>
      <Among value={question.among} />
    </Form>
  );
}

/** Which backends there are is the operators' to know. */
function Among({ value }: { value: Question["among"] }) {
  if (!seesAll()) return <input type="hidden" name="among" value="catalogue" />;
  return (
    <Select label="Among" name="among">
      <option value="catalogue" selected={value === "catalogue"}>
        all places of the catalogue
      </option>
      <option value="backends" selected={value === "backends"}>
        the backends that are registered here
      </option>
    </Select>
  );
}
