import { OptionsError } from '@oncekey/core'
import { answerOf as answerOfNext } from './next-errors.ts'

/** Finds the response in an error, or nothing if the error is a failure. */
export type AnswerOf<Req> = (
  error: unknown,
  request: Req,
) => Response | undefined | Promise<Response | undefined>

/**
 * Finds the response in what a handler threw. It tries the app's own `answerOf`, then a thrown
 * `Response`, then the errors by which Next.js redirects and refuses.
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

/** Checks the shape, because a framework may have its own `Response` class. */
function isResponse(thrown: unknown): thrown is Response {
  if (typeof thrown !== 'object' || thrown === null || thrown instanceof Error) return false
  const { status, headers, bodyUsed } = thrown as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function' && bodyUsed !== undefined
}
