import { hash } from 'node:crypto'

/**
 * A hash that is equal for errors of one kind: of the name, the code, and the message without
 * numbers and ids.
 */
export function errorFingerprint(error: {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
}): string {
  const message = error.message
    .toLowerCase()
    .replace(/[\da-f]{8}-[\da-f-]{27}/g, '#')
    .replace(/\b(?=[a-z]*\d)[\da-z_]+\b/g, '#')
  return hash('sha256', JSON.stringify([error.name, error.code ?? null, message])).slice(0, 16)
}
