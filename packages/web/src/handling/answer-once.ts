import type { Engine, EngineRequest, HandlerContext, HandlerRun } from '@oncekey/core'
import { cancelled } from './cancelled.ts'
import { captureResponse, type Exchange } from './capture-response.ts'
import { responseOf } from './response-of.ts'

/** What a handler came to; `sent`: it was answered past us, and this only says so. */
export type Handled = Response | undefined | { readonly sent: Response }

/** The response that a thrown error stands for, if it is one. */
type ThrownAnswer = (error: unknown) => Promise<Response | undefined> | undefined

/**
 * A request's whole way: the engine is asked, and either the handler runs and its response waits for
 * the verdict, or the record answers. `before` are headers that were set outside the handler;
 * `impliedType`, see {@link Exchange}.
 */
export async function answerOnce<Tx>(
  engine: Engine<Tx>,
  request: EngineRequest,
  before: Headers,
  handle: (context: HandlerContext<Tx>, run: HandlerRun<Tx>) => Promise<Handled>,
  thrownAnswer: ThrownAnswer = () => undefined,
  impliedType?: string,
): Promise<Response> {
  const begun = await engine.begin(request)
  if (begun.kind !== 'run') return responseOf(begun.response, before)
  const { run } = begun
  return answerOf(
    run,
    { method: request.method, before, impliedType },
    () => handle(run.context, run),
    thrownAnswer,
  )
}

async function answerOf(
  run: HandlerRun,
  exchange: Exchange,
  handle: () => Promise<Handled>,
  thrownAnswer: ThrownAnswer,
): Promise<Response> {
  const handled = handle()
    .catch(async (error) => {
      const response = await thrownAnswer(error)
      if (response === undefined) throw error
      return response
    })
    .then(
      (response) => ({ kind: 'response', response }) as const,
      async (error) => {
        const verdict = await run.abandon()
        if (verdict.kind === 'send') throw error
        if (verdict.kind === 'failure') throw verdict.error
        // It had been given up before it threw, and that is answered.
        return verdict
      },
    )
  const first = await Promise.race([handled, run.interrupted])
  if (first.kind === 'response') {
    const { response } = first
    return isSent(response) ? response.sent : captureResponse(run, response, exchange)
  }
  // Nobody is there for what comes now, nor for how it fails.
  handled
    .then((late) => {
      if (late.kind !== 'response' || isSent(late.response)) return undefined
      const { body } = late.response ?? {}
      return body ? cancelled(body) : undefined
    })
    .catch(() => {})
  return responseOf(first.response, exchange.before)
}

/** Whatever a handler gave back instead of a Response. */
function isSent(handled: Handled): handled is { readonly sent: Response } {
  return typeof handled === 'object' && handled !== null && 'sent' in handled
}
