import { OptionsError } from '@oncekey/core'
import { answerOf as answerOfNext } from './next-errors.ts'

/** What an error stands for: a response, or nothing where it is a failure like any other. */
export type AnswerOf<Req> = (
  error: unknown,
  request: Req,
) => Response | undefined | Promise<Response | undefined>

/**
 * Finds the response in what a handler threw: the app's own `answerOf` is asked first, then a thrown
 * `Response` is that response, then the errors by which Next.js redirects and refuses are read.
 */
export function resolveAnswerOf<Req>(chosen: AnswerOf<Req> | undefined): AnswerOf<Req> {
  if (chosen !== undefined && typeof chosen !== 'function') {
    throw new OptionsError(
      'answerOf must be a function that returns a Response or undefined: `(error, request) => …`.',
    )
  }
  return async (error, request) => {
    const answer = await chosen?.(error, request)
    if (answer !== undefined) return answer
    return isResponse(error) ? error : answerOfNext(error)
  }
}

/** By shape: a framework may bring a `Response` class of its own. */
function isResponse(thrown: unknown): thrown is Response {
  if (typeof thrown !== 'object' || thrown === null || thrown instanceof Error) return false
  const { status, headers, bodyUsed } = thrown as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function' && bodyUsed !== undefined
}
