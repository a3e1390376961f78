/** Why a step counts as failed that never said so itself. */
export function lostError(step: string, times: number): Error {
  const error = new Error(
    `The process that ran step "${step}" vanished ${times} times before it could say how it went.`,
  )
  error.name = 'ProcessLost'
  return error
}
