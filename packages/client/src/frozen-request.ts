import { readUpTo } from './body-bytes.ts'
import { OptionsError, RetryError } from './errors.ts'

/** A request as every attempt sends it: read and serialised once, so that a retry has the same bytes. */
export interface FrozenRequest {
  /** Absolute: what a relative one stands for changes with `history.pushState`. */
  readonly url: string
  readonly method: string
  readonly headers: Headers
  /**
   * Undefined for a request without one. Not plain bytes: Node 20 detaches those when it sends them
   * and cannot follow a 307 then.
   */
  readonly body: string | Blob | undefined
  /** Everything else that the caller said: credentials, mode, and what only their runtime knows. */
  readonly rest: RequestInit
}

/**
 * Serialises what `fetch` would be called with. Throws what `fetch` would throw for a request that
 * cannot be one, and `request-too-large` for a stream of more than `maxBytes`.
 */
export async function freezeRequest(
  input: string | URL | Request,
  init: RequestInit,
  maxBytes: number,
  signal: AbortSignal,
): Promise<FrozenRequest> {
  // Their own class may not be this realm's, so a Request is known by its members.
  const given = isRequest(input) ? input : undefined
  const { headers: ownHeaders, body: ownBody, signal: _, ...ownRest } = init
  const headers = new Headers(ownHeaders ?? given?.headers)
  const holder = ownBody != null ? new Response(ownBody) : given
  const contentType = holder?.headers.get('content-type')
  if (contentType != null && !headers.has('content-type')) headers.set('content-type', contentType)

  const rest = given === undefined ? ownRest : { ...membersOf(given), ...ownRest }
  const body = isImmutable(ownBody)
    ? ownBody
    : holder && (await read(holder, ownBody, maxBytes, signal))
  const url = given?.url ?? (input as string | URL)
  // Built once to be judged: a bad URL must not look like a bad network, attempt after attempt.
  const judged = new Request(url, { ...rest, headers, ...(body !== undefined && { body }) })
  if (judged.mode === 'no-cors') {
    throw new OptionsError(
      "mode: 'no-cors' drops the key's header without a word, and a retry would run twice: write `mode: 'cors'`.",
    )
  }
  return { url: judged.url, method: judged.method, headers, body, rest }
}

/** Whether a request was given, from whatever realm or polyfill. */
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

/** What has the same bytes each time it is sent; a Blob stays on its disk until then. */
function isImmutable(body: unknown): body is string | Blob {
  return typeof body === 'string' || body instanceof Blob
}

async function read(
  holder: Request | Response,
  ownBody: unknown,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Blob | undefined> {
  // Firefox has no Request.body; there it has no limit.
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
