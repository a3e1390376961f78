import {
  type EngineRequest,
  type FingerprintInput,
  OncekeyError,
  OptionsError,
  type RequestBody,
  requestAborted,
} from '@oncekey/core'
import { collect } from './collect.ts'
import { arrivedOf } from './cut-off.ts'

/** What the adapter knows about a request beyond what the `Request` itself says. */
export interface RequestReading {
  readonly scope: EngineRequest['scope']
  /** The argument that the app's functions are called with. */
  readonly native: unknown
  /** What the runtime passed on beside the request. */
  readonly env: unknown
  readonly route?: () => string | undefined
  /** Calls the app's own `fingerprint`, if it has one. */
  readonly chosen: (() => unknown) | undefined
  /**
   * Called if the body was already read: returns its bytes, or `undefined` where nobody kept them.
   */
  readonly readBefore: () => Promise<Uint8Array | undefined>
  /** What the error advises if nobody kept them. */
  readonly hint: string
  readonly maxRequestBytes: number
}

/**
 * Converts a fetch request for the engine. It reads a clone, so the handler can still read the
 * body.
 */
export function readRequest(request: Request, reading: RequestReading): EngineRequest {
  // The signal at once: an adaptor may make it when it is first read, and it then says nothing of
  // what was before.
  const { method, headers, signal } = request
  const { pathname, search } = new URL(request.url)
  const target = pathname + search
  const { chosen } = reading
  let came: Promise<RequestBody> | undefined
  const rawBody = (): Promise<RequestBody> => {
    came ??= bodyThatCame(request, reading)
    return came
  }
  return {
    method,
    target,
    scope: reading.scope,
    native: reading.native,
    ...(reading.route && { route: reading.route }),
    signal,
    header: (name) => linesOf(headers, name),
    // Without a `fingerprint` the body was compared, so it has come as a whole.
    ...(chosen && { arrived: () => arrivedOf(reading.env, signal) }),
    async fingerprintInput() {
      const contentType = headers.get('content-type') ?? undefined
      const of = (body: RequestBody): FingerprintInput => ({ method, target, contentType, body })
      // Nothing may throw once the function was called: nobody would hold the promise it returns.
      if (chosen !== undefined) return of({ kind: 'chosen', value: chosen() })
      const body = await rawBody()
      if (arrivedOf(reading.env, signal) !== 'whole') throw requestAborted()
      return of(body)
    },
    rawBody,
  }
}

/** Validates the request options. */
export function resolveRequestOptions<Req>(options: {
  readonly fingerprint?: (request: Req) => unknown
  readonly maxRequestBytes?: number
}): { fingerprint: ((request: Req) => unknown) | undefined; maxRequestBytes: number } {
  const { fingerprint, maxRequestBytes = 1024 * 1024 } = options
  if (fingerprint !== undefined && typeof fingerprint !== 'function') {
    throw new OptionsError('fingerprint must be a function: `(request) => …what counts`.')
  }
  if (!Number.isSafeInteger(maxRequestBytes) || maxRequestBytes < 1) {
    throw new OptionsError('maxRequestBytes must be a positive whole number.')
  }
  return { fingerprint, maxRequestBytes }
}

/**
 * Repeated header lines arrive joined; the engine refuses a list of keys just like several lines.
 */
function linesOf(headers: Headers, name: string): readonly string[] {
  const value = headers.get(name)
  return value === null ? [] : [value]
}

async function bodyThatCame(request: Request, reading: RequestReading): Promise<RequestBody> {
  const { readBefore, hint, maxRequestBytes } = reading
  if (request.body === null) return { kind: 'none' }
  const bytes = request.bodyUsed ? await readBefore() : await read(request, maxRequestBytes)
  if (bytes === undefined) return { kind: 'unseen', hint }
  if (bytes.length > maxRequestBytes) throw tooLarge(maxRequestBytes)
  return bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes }
}

async function read(request: Request, maxBytes: number): Promise<Uint8Array> {
  const reader = (copyOf(request).body as ReadableStream<Uint8Array>).getReader()
  const collected = await collect(reader, maxBytes)
  // Reading the copy has read the original too, so the handler would find no body.
  if (request.bodyUsed) throw noCopy(request)
  if (collected.kind === 'whole') return collected.bytes
  // Not awaited: a clone's `cancel` resolves only when the other branch is cancelled as well.
  reader.cancel().catch(() => {})
  throw tooLarge(maxBytes)
}

/**
 * A clone whose body can be read beside the original's. Throws `body-unseen` if the runtime's
 * `clone()` does not copy, because reading it would empty the handler's body.
 */
export function copyOf(request: Request): Request {
  const copy = request.clone()
  if (copy === request || (copy.body !== null && copy.body === request.body)) throw noCopy(request)
  if (typeof copy.body?.getReader !== 'function' && copy.body !== null) throw noCopy(request)
  return copy
}

function noCopy(request: Request): OncekeyError {
  return new OncekeyError(
    'body-unseen',
    `The body of ${request.method} ${request.url} cannot be compared: clone() of this runtime's Request does not make an independent copy with a stream to read. Hand over a standard Request: \`new Request(url, { method, headers, body })\`.`,
  )
}

function tooLarge(maxBytes: number): OncekeyError {
  return new OncekeyError(
    'request-too-large',
    `The body is over ${maxBytes} bytes, which is the most that is compared.`,
  )
}
