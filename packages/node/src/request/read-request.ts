import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type EngineRequest,
  type FingerprintInput,
  type RequestBody,
  resolveScope,
  type Scope,
  withoutIds,
} from '@oncekey/core'
import { isGone } from '../internals/internals.ts'
import { type BodyReading, bodyOf, bytesOfBody } from './body.ts'
import type { NodeRequest } from './node-request.ts'

/** What counts of a request in place of its body; it may be a promise. `bytes` reads the body and puts it back. */
export type ChooseWhatCounts<Req> = (req: Req, bytes: () => Promise<Uint8Array>) => unknown

/** How much of a body is read where nothing else is said. Bytes. */
export const MAX_REQUEST_BYTES = 1_048_576

/** A request in the engine's words. */
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
    // Only a route that waits has something to end early, and it is dear to make.
    signal: options.waitMs ? goneSignal(res) : undefined,
    header: (name) => headerLines(req, name),
    fingerprintInput: () => {
      const of = (body: RequestBody): FingerprintInput => ({
        method,
        target,
        contentType: req.headers['content-type'],
        ...(options.parts && { parts: options.parts }),
        body,
      })
      if (options.fingerprint !== undefined) {
        const bytes = () => bytesOfBody(req, res, options.body?.maxBytes ?? MAX_REQUEST_BYTES)
        return of({ kind: 'chosen', value: options.fingerprint(req, bytes) })
      }
      const body = bodyOf(req, res, options.body)
      return body instanceof Promise ? body.then(of) : of(body)
    },
    rawBody: () => bodyOf(req, res, options.body),
  }
}

/** What Express's router knows once it has found the route; `undefined` before, and without one. */
function routeOf(req: NodeRequest): string | undefined {
  const { baseUrl = '', route } = req as NodeRequest & {
    baseUrl?: string
    route?: { path?: unknown }
  }
  // Of a mount path it keeps the URL and not the pattern.
  return typeof route?.path === 'string' ? withoutIds(baseUrl) + route.path : undefined
}

/** Aborted when the client is gone. A request's own `close` only says that it was read. */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  if (isGone(res)) gone.abort()
  res.once('close', () => gone.abort())
  return gone.signal
}

function headerLines(req: IncomingMessage, name: string): readonly string[] {
  const value = req.headers[name]
  if (value === undefined) return []
  if (typeof value !== 'string') return value
  // Node joins repeated lines with a comma; telling them apart is dear, so only where it can matter.
  return value.includes(',') ? linesOf(req, name) : [value]
}

/** `headersDistinct` is not there for HTTP/2. */
function linesOf({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const lines: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) lines.push(rawHeaders[i + 1] as string)
  }
  return lines
}
