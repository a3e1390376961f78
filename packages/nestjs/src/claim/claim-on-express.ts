import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { ExecutionContext } from '@nestjs/common'
import type { HandlerContext } from '@oncekey/core'
import {
  coverRequest,
  type HeldResponse,
  hideHangUp,
  keepRawBody,
  type NodeRequest,
} from '@oncekey/node'
import type { Coverage } from '../routes/coverage.ts'
import { answersItself, type Handler } from '../routes/metadata.ts'
import { releaseRejected } from './note-rejections.ts'

interface Request extends NodeRequest {
  /** Kept by Nest where the application is created with `rawBody: true`. */
  rawBody?: Uint8Array
  idempotency?: HandlerContext
}

/**
 * Claims on Express. The body is what Nest's parsers made of it, or its bytes with `rawBody: true`.
 */
export async function claimOnExpress(
  context: ExecutionContext,
  { engine, scope, fingerprint, waitMs, maxRequestBytes }: Coverage,
  parts: readonly string[] | undefined,
): Promise<void> {
  const http = context.switchToHttp()
  const req = http.getRequest<Request>()
  const res = http.getResponse<ServerResponse>()
  if (req.rawBody instanceof Uint8Array) keepRawBody(req, undefined, req.rawBody)
  const covering = {
    scope,
    ...(fingerprint && { fingerprint }),
    ...(waitMs !== undefined && { waitMs }),
    ...(parts && { parts }),
    body: { maxBytes: maxRequestBytes as number, hint: HINT },
  }
  // Express's own error handling, in which Nest's global exception filters answer.
  const fail = http.getNext<(error: unknown) => void>()
  const covered = await coverRequest(engine, req, res, covering, fail)
  if (covered === undefined) return new Promise(() => {})
  req.idempotency = covered.context
  releaseRejected(req, covered.run)
  hideHangUp(req, covered.held.over)
  giveUpStopped(res, covered.held, () =>
    answersItself(context.getClass(), context.getHandler() as Handler),
  )
}

/**
 * Nest destroys the stream of a response whose client has hung up, but not what it pipes it
 * through, so that such a response would never end. The object-mode Transform that Nest pipes
 * through passes on what it holds in this turn, and then gets nothing more. What a handler pipes
 * that sends the response itself (`isOwn`) goes on to its end.
 */
function giveUpStopped(res: ServerResponse, held: HeldResponse, isOwn: () => boolean): void {
  res.on('pipe', (source: Readable) => {
    if (!res.destroyed || !source.readableObjectMode || isOwn()) return
    setImmediate(() => held.abandon())
  })
}

const HINT =
  'Say what counts with `fingerprint: (request) => …`, or let a parser leave it in `request.body`.'
