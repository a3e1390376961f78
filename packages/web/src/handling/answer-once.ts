import type { Engine, EngineRequest, HandlerContext, HandlerRun } from '@oncekey/core'
import { cancelled } from './cancelled.ts'
import { captureResponse, type Exchange, instead } from './capture-response.ts'

/** What a handler produced. `sent`: the response was sent by other means. */
export type Handled = Response | undefined | { readonly sent: Response }

/** Finds the response in a thrown error, if there is one. */
type ThrownAnswer = (error: unknown) => Promise<Response | undefined> | undefined

/**
 * Handles a request from start to end: asks the engine, then runs the handler and holds its
 * response until the run's outcome is known, or answers from the record.
 */
export async function answerOnce<Tx>(
  engine: Engine<Tx>,
  request: EngineRequest,
  exchange: Omit<Exchange, 'method'>,
  handle: (context: HandlerContext<Tx>, run: HandlerRun<Tx>) => Promise<Handled>,
  thrownAnswer: ThrownAnswer = () => undefined,
): Promise<Response> {
  const begun = await engine.begin(request)
  const whole = { ...exchange, method: request.method }
  if (begun.kind !== 'run') return instead(begun, whole)
  const { run } = begun
  return answerOf(run, whole, () => handle(run.context, run), thrownAnswer)
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
        const outcome = await run.abandon()
        if (outcome.kind === 'send') throw error
        if (outcome.kind === 'failure') throw outcome.error
        // The engine had given the run up before the handler threw, so its problem is returned.
        return outcome
      },
    )
  const first = await Promise.race([handled, run.interrupted])
  if (first.kind === 'response') {
    const { response } = first
    return isSent(response) ? response.sent : captureResponse(run, response, exchange)
  }
  // Nobody waits for the handler's result or error any more.
  handled
    .then((late) => {
      if (late.kind !== 'response' || isSent(late.response)) return undefined
      const { body } = late.response ?? {}
      return body ? cancelled(body) : undefined
    })
    .catch(() => {})
  return instead(first, exchange)
}

/** A handler may return anything. */
function isSent(handled: Handled): handled is { readonly sent: Response } {
  return typeof handled === 'object' && handled !== null && 'sent' in handled
}
