import type { ServerResponse } from 'node:http'
import type { Begun, Engine, HandlerContext, HandlerRun, Scope } from '@oncekey/core'
import { type HeldResponse, holdBack } from '../hold/hold-back.ts'
import type { BodyReading } from '../request/body.ts'
import type { NodeRequest } from '../request/node-request.ts'
import { type ChooseWhatCounts, readRequest } from '../request/read-request.ts'
import { writeResponse } from '../response/write-response.ts'

/** How an adapter describes its requests. */
export interface Covering<Req extends NodeRequest> {
  readonly scope: Scope<Req>
  /** Path and query as the client sent them. @default `req.originalUrl`, or `req.url` */
  readonly target?: string
  readonly fingerprint?: ChooseWhatCounts<Req>
  readonly waitMs?: number
  readonly body?: BodyReading
  /**
   * The framework's own request, which options that are functions are called with. @default `req`
   */
  readonly native?: unknown
  /** The route's pattern, once the router knows it. @default what Express's router left on `req` */
  readonly route?: () => string | undefined
  /**
   * Facts beside method and URL by which the framework chose this handler, such as a version.
   * @default none
   */
  readonly parts?: readonly string[]
}

/** A request whose handler should run now. */
export interface Covered<Tx> {
  /** The context for the handler. */
  readonly context: HandlerContext<Tx>
  readonly held: HeldResponse
  readonly run: HandlerRun<Tx>
}

/**
 * Everything before the handler, for any framework whose handlers write to a `node:http` response.
 * Asks the engine, then either sends an answer (a replay or a problem) and returns `undefined`, or
 * holds the response back and returns what the handler needs. Rejects with errors for the
 * framework's error handling; the key is then not claimed. Errors that occur after the app's
 * handler go to `fail`, once everything was undone.
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
  // Something else, such as a timeout, has responded meanwhile, so the handler must not run.
  if (res.headersSent) return giveBack(begun)
  if (begun.kind !== 'run') {
    writeResponse(res, begun.response)
    return undefined
  }
  return hold(begun.run, res, fail)
}

/** If the response cannot be held back, the handler must not run. */
async function hold<Tx>(
  run: HandlerRun<Tx>,
  res: ServerResponse,
  fail: ((error: unknown) => void) | undefined,
): Promise<Covered<Tx>> {
  try {
    const held = holdBack(res, run, fail)
    run.onInterrupted(({ response }) => held.replace(response))
    return { context: run.context, held, run }
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
