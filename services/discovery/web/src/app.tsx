import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Empty, Failed, Loading, SignInLink } from "./components/index.ts";
import { failed, Toasts } from "./components/toast.tsx";
import { mayOpen, PAGES, type Page, type PageProps } from "./pages/index.ts";
import { link, route } from "./router.ts";
import { type Role, session, signOut } from "./session.ts";
import { nextTheme, theme } from "./theme.ts";

const PEOPLE: Readonly<Record<Role, string>> = {
  operator: "operators",
  auditor: "auditors",
  tenant_admin: "tenants' admins",
  tenant: "tenants",
  nobody: "everybody",
};

export function App() {
  const shown = PAGES.find((it) => it.name === route.value.page);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const title = shown?.title ?? "Not here";
  useEffect(() => {
    document.title = shown?.name ? `${title} · Domicile` : "Domicile";
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [title, shown]);
  return (
    <>
      <button type="button" class="button skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header />
      <main id="main" ref={main} tabIndex={-1}>
        {shown ? <Guarded key={shown.name} page={shown} /> : <NotHere />}
      </main>
      <Toasts />
    </>
  );
}

function Header() {
  const who = session.value;
  return (
    <header class="top">
      <a class="brand" href={link("")}>
        <img src="/icon.svg" alt="" width="24" height="24" /> Domicile
      </a>
      <nav aria-label="Pages">
        {PAGES.filter((it) => it.inMenu && mayOpen(it, who)).map((it) => (
          <a key={it.name} href={link(it.name)} {...(route.value.page === it.name && { "aria-current": "page" as const })}>
            {it.title}
          </a>
        ))}
      </nav>
      <button type="button" class="button quiet" onClick={nextTheme} title="Light, dark, or as the system is">
        Theme: {theme.value}
      </button>
      {who && who.role !== "nobody" ? (
        <>
          <span class="who">{who.tenant_id ?? (who.role === "operator" ? "Operator" : "Auditor")}</span>
          <button type="button" class="button quiet" onClick={() => signOut().catch(failed)}>
            Sign out
          </button>
        </>
      ) : (
        route.value.page !== "signin" && <SignInLink />
      )}
    </header>
  );
}

/** The page, once it is known that whoever this is may see it. */
function Guarded({ page }: { page: Page }) {
  const who = session.value;
  if (page.roles && !who) return <Loading />;
  if (!mayOpen(page, who)) {
    return (
      <>
        <h1>{page.title}</h1>
        <Empty title={`This page is for ${new Intl.ListFormat("en").format(page.roles?.map((role) => PEOPLE[role]) ?? [])}.`}>
          <SignInLink />
        </Empty>
      </>
    );
  }
  return <Lazy page={page} />;
}

function Lazy({ page }: { page: Page }) {
  const loaded = useSignal<ComponentType<PageProps> | Error | undefined>(undefined);
  useEffect(() => {
    const settle = (settled: ComponentType<PageProps> | Error) => {
      loaded.value = settled;
    };
    page.load().then((module) => settle(module.default), settle);
  }, [page, loaded]);
  const Shown = loaded.value;
  if (Shown instanceof Error) return <Failed error={Shown} onRetry={() => location.reload()} />;
  return Shown ? <Shown route={route.value} /> : <Loading />;
}

function NotHere() {
  return (
    <>
      <h1>Not here</h1>
      <Empty title="There is no page of this name.">
        <a href={link("")}>To the beginning</a>
      </Empty>
    </>
  );
}
