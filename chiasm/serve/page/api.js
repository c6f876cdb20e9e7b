// Requests to the service that this page came from, with its token when it wants one.

const KEY = "chiasm-token";

/** A request that the service did not answer: its status and reason. */
export class Refusal extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** Takes the token out of the address (#token=...), so that it stays in no history. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(null, "", location.pathname);
  }
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** The JSON that a path answers. Throws `Refusal` with a sentence a person can read. */
export async function call(path, body, { signal } = {}) {
  const headers = {};
  const token = sessionStorage.getItem(KEY);
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service cannot be reached. Is it still running?");
  }
  const content = await answer.json().catch(() => ({ error: `the service said ${answer.status}` }));
  if (answer.ok) return content;
  const later = answer.headers.get("retry-after");
  throw new Refusal(answer.status, later ? `${content.error} (in ${later} s)` : content.error);
}
