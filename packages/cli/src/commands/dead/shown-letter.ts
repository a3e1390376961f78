import type { AttemptError, DeadLetter, DeadLetterDetail, Resolution } from '@oncekey/core'
import { type Page, shownDuration } from '../../output/page.ts'

/** A row of a list of dead letters, or of a list of deliveries that will be retried. */
export function letterRow(letter: DeadLetter, isRetrying: boolean): unknown[] {
  const { id, deadAt, dueAt, origin, type, subject, attempts, reason, error } = letter
  return [
    id,
    isRetrying ? dueAt : deadAt,
    origin,
    type,
    subject,
    attempts,
    reason,
    error && `${error.name}: ${error.message}`,
  ]
}

export function showLetter(page: Page, letter: DeadLetterDetail): void {
  page.fields([
    ['id', letter.id],
    ['state', letter.state],
    ['origin', letter.origin],
    ['reason', letter.reason],
    ['event', letter.eventId],
    ['type', letter.type],
    ['source', letter.source],
    ['subject', letter.subject],
    ['occurred', letter.occurredAt],
    ['first failed', letter.firstFailedAt],
    ['died', letter.deadAt],
    ['next try', letter.dueAt],
    ['attempts', letter.attempts],
    ['redrives', letter.redrives],
    ['ended', letter.resolution],
    ['note', letter.note],
    ['kind', letter.error?.fingerprint],
  ])
  const headers = Object.entries(letter.headers)
  if (headers.length > 0) {
    page.blank()
    page.title('Headers')
    page.fields(headers)
  }
  page.blank()
  page.title('Data')
  page.block(letter.data)
  for (const { number, startedAt, durationMs, error } of letter.history) {
    page.blank()
    page.title(`Attempt ${number}`)
    page.line`${startedAt}, ${shownDuration(durationMs)}: ${error.name}: ${error.message}`
    const more = stackOf(error)
    if (more !== undefined) page.block(more)
  }
}

function stackOf({ stack, name, message }: AttemptError): string | undefined {
  if (stack === null) return undefined
  const head = `${name}: ${message}\n`
  return stack.startsWith(head) ? stack.slice(head.length) : stack
}

/** Prints the dead letters that an act did not change, or may not have changed, with the reason. */
export function showRefused(page: Page, refused: readonly Resolution[]): void {
  for (const { id, outcome, message } of refused.slice(0, 50)) {
    if (outcome === 'failed') page.line`${id}: ${MEANS.failed}: ${message}`
    else page.line`${id}: left as it is, ${MEANS[outcome]}`
  }
  if (refused.length > 50) page.line`and ${refused.length - 50} more, see --json`
}

/** Prints whose dead letters a dashboard does not show: there may be any number of them. */
export function showNotShown(page: Page, sources: readonly string[]): void {
  if (sources.length > 0) page.line`This dashboard does not show those of ${sources.join(' and ')}.`
}

const MEANS: Readonly<Record<Resolution['outcome'], string>> = {
  discarded: 'discarded',
  'already-done': 'it has taken effect already',
  'already-discarded': 'it was discarded before',
  retrying: 'it is on its way already',
  'not-matched': 'it does not match, or somebody else has it just now',
  retired: 'its consumer was retired',
  unknown: 'there is none of that id',
  failed: 'it is not known what became of it',
}
