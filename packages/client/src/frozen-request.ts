import { readUpTo } from './body-bytes.ts'
import { OptionsError, RetryError } from './errors.ts'

/**
 * A request as every attempt sends it, read and serialised once, so that retries have the same
 * bytes.
 */
export interface FrozenRequest {
  /** Absolute, because `history.pushState` changes what a relative URL means. */
  readonly url: string
  /** The Request that was given, if Node's own `fetch` is to be called with it and not the URL. */
  readonly itself: Request | undefined
  readonly method: string
  readonly headers: Headers
  /**
   * Undefined for a request without a body. Not plain bytes, because Node 20 detaches them when it
   * sends them and then cannot follow a 307.
   */
  readonly body: string | Blob | undefined
  /**
   * Everything else the caller passed: credentials, mode, and options that only their runtime
   * knows.
   */
  readonly rest: RequestInit
}

/**
 * Serialises the arguments of `fetch`. Throws what `fetch` would throw for an invalid request, and
 * `request-too-large` for a stream of more than `maxBytes`. `isGlobalFetch` says that the attempts
 * are sent by the global `fetch`.
 */
export async function freezeRequest(
  input: string | URL | Request,
  init: RequestInit,
  maxBytes: number,
  signal: AbortSignal,
  isGlobalFetch: boolean,
): Promise<FrozenRequest> {
  // Recognised by its members, because a Request class may come from another realm.
  const given = isRequest(input) ? input : undefined
  const { headers: ownHeaders, body: ownBody, signal: _, ...ownRest } = init
  // Looked at here, because a stream that was read in part and unlocked can be read on, and is
  // shorter then. `fetch` throws too.
  if (ownBody == null && given?.bodyUsed) {
    throw new TypeError(
      'The body of this Request was read already: give `request.clone()` to whatever reads it first.',
    )
  }
  const headers = new Headers(ownHeaders ?? given?.headers)
  const holder = ownBody != null ? new Response(ownBody) : given
  const contentType = holder?.headers.get('content-type')
  if (contentType != null && !headers.has('content-type')) headers.set('content-type', contentType)

  const rest = given === undefined ? ownRest : { ...membersOf(given), ...ownRest }
  const body = isImmutable(ownBody)
    ? ownBody
    : holder && (await read(holder, ownBody, maxBytes, signal))
  const url = given?.url ?? (input as string | URL)
  // Built once as a check, so that a bad URL does not look like a network error in every attempt.
  const judged = new Request(url, { ...rest, headers, ...(body !== undefined && { body }) })
  if (judged.mode === 'no-cors') {
    throw new OptionsError(
      "mode: 'no-cors' drops the key's header without a word, and a retry would run twice: write `mode: 'cors'`.",
    )
  }
  const { url: absolute, method } = judged
  const byUrl = { url: absolute, itself: undefined, method, headers, body, rest }
  if (given === undefined || !isGlobalFetch || !hidesDispatcher(given)) return byUrl
  // Its own body has been read, so each attempt must be given one, if only an empty one.
  const own = body ?? (given.body === null ? undefined : new Blob([]))
  const sent = { ...rest, method, headers, ...(own !== undefined && { body: own }) }
  if (!canBeSentAgain(given, sent)) return byUrl
  return { ...byUrl, itself: given, body: own }
}

/**
 * What the next attempt calls `fetch` with: the URL, or the Request that was given. Judged anew at
 * each attempt, because Next.js may replace the global `fetch` between two. Its `fetch` takes a
 * Request apart, drops the dispatcher, and sends the Request's own body, which has been read.
 */
export function targetOf({ url, itself }: FrozenRequest): string | Request {
  return itself === undefined || isFetchOfNext() ? url : itself
}

/** The symbol is set also where something else has wrapped the `fetch` of Next.js since. */
function isFetchOfNext(): boolean {
  return (
    Reflect.get(globalThis.fetch, '__nextPatched') === true ||
    Reflect.get(globalThis, Symbol.for('next-patch')) === true
  )
}

/**
 * Whether a request may have been made with a `dispatcher` (a proxy, a client certificate): the
 * option of Node's fetch that no property of the request shows. Such a request is sent itself, with
 * what differs, and not by its URL. Other runtimes, and a `fetch` given as an option, get the URL:
 * they may not know this class.
 */
function hidesDispatcher(given: Request): boolean {
  const { process } = globalThis as { process?: { versions?: Record<string, string> } }
  const { undici, bun, deno } = process?.versions ?? {}
  const isNode = undici !== undefined && bun === undefined && deno === undefined
  return isNode && given instanceof globalThis.Request
}

/**
 * Whether each attempt can make its request of the one that was given, although the body of that
 * one has been read. The Request class of a polyfill may refuse.
 */
function canBeSentAgain(given: Request, init: RequestInit): boolean {
  try {
    // Without a signal, or Node would have the new request listen to that of the one given.
    new Request(given, { ...init, signal: null })
    return true
  } catch {
    // A bad URL or header has been refused above; any other reason does not concern the URL.
    return false
  }
}

/** Whether the input is a request, from any realm or polyfill. */
export function isRequest(input: string | URL | Request): input is Request {
  return typeof input === 'object' && 'headers' in input
}

const MEMBERS = [
  'method',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
] as const

function membersOf(request: Request): RequestInit {
  // A runtime that lacks a member may refuse even `undefined` for it.
  const present = MEMBERS.filter((name) => request[name] !== undefined)
  return Object.fromEntries(present.map((name) => [name, request[name]]))
}

/** Bodies that have the same bytes each time they are sent; a Blob stays on disk until then. */
function isImmutable(body: unknown): body is string | Blob {
  return typeof body === 'string' || body instanceof Blob
}

async function read(
  holder: Request | Response,
  ownBody: unknown,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Blob | undefined> {
  // Firefox has no Request.body, so the limit does not apply there.
  if (isInMemory(ownBody) || holder.body == null) {
    const blob = await holder.blob()
    return blob.size > 0 ? blob : undefined
  }
  const bytes = await readUpTo(holder.body, maxBytes, signal)
  if (bytes !== undefined) return new Blob([bytes])
  throw new RetryError(
    'request-too-large',
    `A body that can be read only once is kept in memory for retries, and this one has more than ${maxBytes} bytes: raise maxRequestBytes, or give it as a Blob.`,
    { attempts: 0, key: undefined },
  )
}

function isInMemory(body: unknown): boolean {
  return (
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof FormData ||
    body instanceof URLSearchParams
  )
}
