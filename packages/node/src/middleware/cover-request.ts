import type { ServerResponse } from 'node:http'
import type { Begun, Engine, HandlerContext, HandlerRun, Scope } from '@oncekey/core'
import { type HeldResponse, holdBack } from '../hold/hold-back.ts'
import type { BodyReading } from '../request/body.ts'
import type { NodeRequest } from '../request/node-request.ts'
import { type ChooseWhatCounts, readRequest } from '../request/read-request.ts'
import { writeResponse } from '../response/write-response.ts'

/** What an adapter says of its requests. */
export interface Covering<Req extends NodeRequest> {
  readonly scope: Scope<Req>
  /** Path and query as the client sent them. @default `req.originalUrl`, or `req.url` */
  readonly target?: string
  readonly fingerprint?: ChooseWhatCounts<Req>
  readonly waitMs?: number
  readonly body?: BodyReading
  /** The framework's own request, which options that are functions are called with. @default `req` */
  readonly native?: unknown
  /** The route's pattern, once the router knows it. @default what Express's router left on `req` */
  readonly route?: () => string | undefined
  /** What beside method and URL had the framework choose this handler, such as a version. @default none */
  readonly parts?: readonly string[]
}

/** A request whose handler is to run now. */
export interface Covered<Tx> {
  /** What the handler may use. */
  readonly context: HandlerContext<Tx>
  readonly held: HeldResponse
}

/**
 * All of a request before its handler, for any framework that lets a handler write to a response of
 * `node:http`: asks the engine, and either answers (a replay, a problem), or holds the response back
 * from here on and returns what the handler needs. `undefined`: it is answered, and the handler does
 * not run. Rejects with what the framework's error handling is to see; nothing is claimed then. `fail` gets
 * what it is to see after the handler, when everything was undone.
 *
 * @example
 * ```ts
 * const covered = await coverRequest(engine, req, res, { scope: (req) => req.user.id })
 * if (covered !== undefined) await handler(req, res, covered.context)
 * ```
 */
export async function coverRequest<Tx, Req extends NodeRequest>(
  engine: Engine<Tx>,
  req: Req,
  res: ServerResponse,
  options: Covering<Req>,
  fail?: (error: unknown) => void,
): Promise<Covered<Tx> | undefined> {
  const begun = await engine.begin(readRequest(req, res, options))
  // Something else, such as a timeout, answered in the meantime: the handler does not run.
  if (res.headersSent) return giveBack(begun)
  if (begun.kind !== 'run') {
    writeResponse(res, begun.response)
    return undefined
  }
  return hold(begun.run, res, fail)
}

/** Nothing of a request runs whose response cannot be held back. */
async function hold<Tx>(
  run: HandlerRun<Tx>,
  res: ServerResponse,
  fail: ((error: unknown) => void) | undefined,
): Promise<Covered<Tx>> {
  try {
    const held = holdBack(res, run, fail)
    run.onInterrupted(({ response }) => held.replace(response))
    return { context: run.context, held }
  } catch (error) {
    run.context.release()
    await run.abandon()
    throw error
  }
}

async function giveBack(begun: Begun<unknown>): Promise<undefined> {
  if (begun.kind !== 'run') return
  begun.run.context.release()
  await begun.run.abandon()
}
