import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type EngineRequest,
  type FingerprintInput,
  type RequestBody,
  resolveScope,
  type Scope,
  withoutIds,
} from '@oncekey/core'
import { heard } from '@oncekey/core/options'
import { isGone } from '../internals/internals.ts'
import { type BodyReading, bodyOf, bytesOfBody, isUnread } from './body.ts'
import { arrivedOf, refuseCutOff } from './cut-off.ts'
import type { NodeRequest } from './node-request.ts'

/**
 * Chooses what to fingerprint instead of the body; may be async. `bytes` reads the body and puts it
 * back.
 */
export type ChooseWhatCounts<Req> = (req: Req, bytes: () => Promise<Uint8Array>) => unknown

/** The default limit for reading a body. Bytes. */
export const MAX_REQUEST_BYTES = 1_048_576

/** Converts a request for the engine. */
export function readRequest<Req extends NodeRequest>(
  req: Req,
  res: ServerResponse,
  options: {
    readonly scope: Scope<Req>
    readonly target?: string
    readonly fingerprint?: ChooseWhatCounts<Req>
    readonly waitMs?: number
    readonly body?: BodyReading
    readonly native?: unknown
    readonly route?: () => string | undefined
    readonly parts?: readonly string[]
  },
): EngineRequest {
  const method = req.method ?? ''
  const target = options.target ?? req.originalUrl ?? req.url ?? ''
  return {
    method,
    target,
    scope: resolveScope(options.scope, req),
    native: options.native ?? req,
    route: options.route ?? (() => routeOf(req)),
    // Only a waiting route needs the signal, and it is expensive to create.
    signal: options.waitMs ? goneSignal(res) : undefined,
    header: (name) => headerLines(req, name),
    // Without a `fingerprint` the body was compared, so it has come as a whole.
    arrived: options.fingerprint && (() => arrivedOf(req)),
    fingerprintInput: () => {
      const contentType = req.headers['content-type']
      const of = (body: RequestBody): FingerprintInput => {
        return { method, target, contentType, parts: options.parts, body }
      }
      if (options.fingerprint !== undefined) {
        const maxBytes = options.body?.maxBytes ?? MAX_REQUEST_BYTES
        const bytes = () => heard(bytesOfBody(req, res, maxBytes))
        // Nothing may throw once the function was called: nobody would hold the promise it returns.
        const value = options.fingerprint(req, bytes)
        return of({ kind: 'chosen', value, isUnread: () => isUnread(req, res) })
      }
      const ofWhole = (body: RequestBody): FingerprintInput => {
        refuseCutOff(req)
        return of(body)
      }
      const body = bodyOf(req, res, options.body)
      return body instanceof Promise ? body.then(ofWhole) : ofWhole(body)
    },
    rawBody: () => bodyOf(req, res, options.body),
  }
}

/**
 * The route pattern that Express's router found; `undefined` before routing or without a router.
 */
function routeOf(req: NodeRequest): string | undefined {
  const { baseUrl = '', route } = req as NodeRequest & {
    baseUrl?: string
    route?: { path?: unknown }
  }
  // The router keeps only the URL of a mount path, not its pattern.
  return typeof route?.path === 'string' ? withoutIds(baseUrl) + route.path : undefined
}

/**
 * Aborts when the client disconnects. The request's own `close` event would not tell, because it
 * comes once the request was read.
 */
export function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  if (isGone(res)) gone.abort()
  res.once('close', () => gone.abort())
  return gone.signal
}

/**
 * The lines of a header, as they came. `name` is in lower case. Looks at the raw request, because a
 * framework may have changed its own headers.
 */
export function headerLines(
  { headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  name: string,
): readonly string[] {
  const value = headers[name]
  if (value === undefined) return []
  if (typeof value !== 'string') return value
  // Node joins repeated lines with a comma. Separating them is expensive, so only values with a
  // comma are checked.
  if (!value.includes(',')) return [value]
  const lines = linesOf(rawHeaders, name)
  // A request that a serverless wrapper made has headers and no raw ones.
  return lines.length === 0 ? [value] : lines
}

/** `headersDistinct` does not exist for HTTP/2. */
function linesOf(rawHeaders: readonly string[] | undefined, name: string): readonly string[] {
  const lines: string[] = []
  for (let i = 0; i < (rawHeaders?.length ?? 0); i += 2) {
    if (rawHeaders?.[i]?.toLowerCase() === name) lines.push(rawHeaders[i + 1] as string)
  }
  return lines
}
