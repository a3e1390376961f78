/** What a step throws when the saga cannot go on and what was done must be undone; other errors are retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}
