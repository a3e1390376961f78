import type { Engine, EngineRequest, HandlerContext, Run } from '@oncekey/core'
import { captureResponse, type Exchange } from './capture-response.ts'
import { responseOf } from './response-of.ts'

/** The response that a thrown error stands for, if it is one. */
type ThrownAnswer = (error: unknown) => Promise<Response | undefined> | undefined

/**
 * A request's whole way: the engine is asked, and either the handler runs and its response waits for
 * the verdict, or the record answers. `before` are headers that were set outside the handler.
 */
export async function answerOnce<Tx>(
  engine: Engine<Tx>,
  request: EngineRequest,
  before: Headers,
  handle: (context: HandlerContext<Tx>) => Promise<Response | undefined>,
  thrownAnswer: ThrownAnswer = () => undefined,
): Promise<Response> {
  const begun = await engine.begin(request)
  if (begun.kind !== 'run') return responseOf(begun.response, before)
  const { run } = begun
  return answerOf(run, { method: request.method, before }, () => handle(run.context), thrownAnswer)
}

async function answerOf(
  run: Run,
  exchange: Exchange,
  handle: () => Promise<Response | undefined>,
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
        // It had been given up before it threw, and that is answered.
        return verdict
      },
    )
  const first = await Promise.race([handled, run.interrupted])
  if (first.kind === 'response') return captureResponse(run, first.response, exchange)
  // Nobody is there for what comes now, nor for how it fails.
  handled
    .then((late) => (late.kind === 'response' ? late.response?.body?.cancel() : undefined))
    .catch(() => {})
  return responseOf(first.response, exchange.before)
}
