import { Field, Form } from "../../components/index.ts";
import { go, link } from "../../router.ts";
import { session, signInAsOperator, signInAsTenant, signInWithToken } from "../../session.ts";
import type { PageProps } from "../index.ts";

export default function SignIn({ route }: PageProps) {
  const back = route.query.back?.startsWith("#/") ? route.query.back : link("");
  async function operator(values: Readonly<Record<string, string>>) {
    await signInAsOperator(values.admin_key ?? "");
    go(back);
  }
  async function tenant(values: Readonly<Record<string, string>>) {
    await signInAsTenant(values.access_key?.trim() ?? "", values.secret_key?.trim() ?? "");
    go(back);
  }
  async function token(values: Readonly<Record<string, string>>) {
    await signInWithToken(values.token ?? "");
    go(back);
  }
  return (
    <>
      <h1>Sign in</h1>
      {session.value && session.value.role !== "nobody" && <p>You are signed in. Signing in again takes its place.</p>}
      <div class="columns">
        <section>
          <h2>With an access key</h2>
          <p>For tenants. The secret key stays in this tab: it signs one request here, and is not sent.</p>
          <Form action="Sign in as tenant" onSubmit={tenant}>
            <Field label="Access key" name="access_key" required />
            <Field label="Secret key" name="secret_key" type="password" required autocomplete="new-password" />
          </Form>
        </section>
        <section>
          <h2>With the admin key</h2>
          <p>For operators. The key is exchanged for a session that ends by itself, and is not kept here.</p>
          <Form action="Sign in as operator" onSubmit={operator}>
            <Field label="Admin key" name="admin_key" type="password" required autocomplete="new-password" />
          </Form>
        </section>
        <section>
          <h2>With a token</h2>
          <p>For operators, auditors and admins of a tenant who have one of their own. It is exchanged for a session as well.</p>
          <Form action="Sign in with the token" onSubmit={token}>
            <Field label="Token" name="token" type="password" required autocomplete="new-password" />
          </Form>
        </section>
      </div>
    </>
  );
}
