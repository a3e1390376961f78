import { OncekeyError } from '@oncekey/core'

/** What a call gets that would start or take a run in a process that is shutting down. */
export function draining(cause?: unknown): OncekeyError {
  const message = 'This process is shutting down and starts no more runs.'
  return new OncekeyError('draining', message, cause === undefined ? {} : { cause })
}
