import type { IncomingMessage, ServerResponse } from 'node:http'
import { type EngineRequest, resolveScope, type Scope } from '@oncekey/core'
import { internalsOf } from '../hold/internals.ts'
import { bodyOf } from './body.ts'

/** What is read of a request: Node's own, and what Connect, Express and body parsers put on it. */
export interface NodeRequest extends IncomingMessage {
  /** The URL before a router took its mount path off. */
  originalUrl?: string
  // biome-ignore lint/suspicious/noExplicitAny: what body parsers call it; `unknown` would spread to handlers
  body?: any
}

/** A request in the engine's words. */
export function readRequest<Req extends NodeRequest>(
  req: Req,
  res: ServerResponse,
  options: {
    readonly scope: Scope<Req>
    readonly fingerprint?: (req: Req) => unknown
    readonly waitMs?: number
  },
): EngineRequest {
  const method = req.method ?? ''
  const target = req.originalUrl ?? req.url ?? ''
  return {
    method,
    target,
    scope: resolveScope(options.scope, req),
    // Only a route that waits has something to end early, and it is dear to make.
    signal: options.waitMs ? goneSignal(res) : undefined,
    header: (name) => headerLines(req, name),
    fingerprintInput: () => ({
      method,
      target,
      contentType: req.headers['content-type'],
      body:
        options.fingerprint === undefined
          ? bodyOf(req)
          : { kind: 'chosen', value: options.fingerprint(req) },
    }),
  }
}

/** Aborted when the client is gone. A request's own `close` only says that it was read. */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  if (internalsOf(res).isGone(res)) gone.abort()
  res.once('close', () => gone.abort())
  return gone.signal
}

function headerLines(req: IncomingMessage, name: string): readonly string[] {
  const value = req.headers[name]
  if (value === undefined) return []
  if (typeof value !== 'string') return value
  // Node joins repeated lines with a comma; telling them apart is dear, so only where it can matter.
  return value.includes(',') ? (req.headersDistinct[name] ?? [value]) : [value]
}
