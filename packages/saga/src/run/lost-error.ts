/** The error that is recorded for a step whose processes died before they could record one. */
export function lostError(step: string, times: number): Error {
  const error = new Error(
    `${times} processes in a row stopped responding while they ran step "${step}".`,
  )
  error.name = 'ProcessLost'
  return error
}
