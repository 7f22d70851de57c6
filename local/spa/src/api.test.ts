import { afterEach, expect, test, vi } from "vitest";
import { Api, Problem, lineOfPointer, problemOf } from "./api";

const problemJson = { "Content-Type": "application/problem+json; charset=utf-8" };

function answer(status: number, body: unknown, headers: Record<string, string> = problemJson): Response {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
}

test("a problem keeps its title, detail, fields and Retry-After", async () => {
  const errors = [{ pointer: "/lines/0/quantity", detail: "too many" }];
  const body = { type: "about:blank", title: "Busy", status: 503, detail: "Try later.", errors };
  const problem = await problemOf(answer(503, body, { ...problemJson, "Retry-After": "2" }));
  expect(problem).toMatchObject({ status: 503, title: "Busy", detail: "Try later.", errors, retryAfterMs: 2000 });
});

test.each([
  ["a gateway's HTML", answer(502, "<h1>Bad gateway</h1>", { "Content-Type": "text/html" })],
  ["broken JSON", answer(502, "{")],
  ["null", answer(502, "null")],
  ["members of the wrong type", answer(502, { title: 1, detail: {}, errors: "none" })],
])("%s still makes a problem a person can read", async (_, response) => {
  const problem = await problemOf(response);
  expect(problem).toMatchObject({ title: "The shop is not reachable", detail: "", errors: [] });
});

test("a malformed field error is left out", async () => {
  const errors = [null, { pointer: 1 }, { pointer: "/currency", detail: "unknown" }];
  expect((await problemOf(answer(422, { errors }))).errors).toEqual([{ pointer: "/currency", detail: "unknown" }]);
});

test.each([
  [0, true],
  [429, true],
  [503, true],
  [400, false],
  [401, false],
  [422, false],
  [500, false],
])("a problem with status %i is temporary: %s", (status, temporary) => {
  expect(new Problem({ status, title: "" }).isTemporary).toBe(temporary);
});

test.each([
  ["/lines/2/quantity", 2],
  ["#/lines/0", 0],
  ["/lines/10/unitPrice", 10],
  ["/lines", undefined],
  ["/lines/x", undefined],
  ["/currency", undefined],
])("pointer %s is line %s", (pointer, line) => {
  expect(lineOfPointer(pointer)).toBe(line);
});

afterEach(() => vi.unstubAllGlobals());

function stubFetch(...answers: (Response | Error)[]) {
  const fetch = vi.fn(async (_path: string, _init: RequestInit) => {
    const next = answers.shift();
    if (!next || next instanceof Error) throw next;
    return next;
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const tokens = { accessToken: async () => "old", replace: async () => "new" };

test("a refused token is replaced once, and the idempotency key stays", async () => {
  const fetch = stubFetch(answer(401, {}), answer(202, { correlationId: "c", status: "accepted" }));
  await new Api(tokens).place("{}", "key");
  const sent = fetch.mock.calls.map(([, init]) => init.headers as Record<string, string>);
  expect(sent.map((h) => h["Authorization"])).toEqual(["Bearer old", "Bearer new"]);
  expect(sent.map((h) => h["Idempotency-Key"])).toEqual(['"key"', '"key"']);
});

test("a second refusal is the answer", async () => {
  stubFetch(answer(401, {}), answer(401, {}));
  await expect(new Api(tokens).order("c")).rejects.toMatchObject({ status: 401 });
});

test("no answer is a temporary problem", async () => {
  stubFetch(new TypeError("fetch failed"));
  await expect(new Api(tokens).order("c")).rejects.toMatchObject({ status: 0, isTemporary: true });
});
