import type { AttemptError, DeadLetter, DeliveryAttempt, PastAttempt } from '@oncekey/core'
import type { KeptDelivery } from '../scripts/dead/page-dead.ts'
import { eventOnFile } from '../state/logged-entry.ts'

/** A delivery's state, the JSON that scripts store: see `scripts/delivery.lua`. */
interface State {
  readonly consumer: string
  readonly state: DeadLetter['state']
  readonly reason?: DeadLetter['reason']
  readonly attempts: number
  readonly redrives: number
  readonly first_failed_at: number
  readonly dead_at?: number
  readonly resolution?: DeadLetter['resolution']
  readonly tries: number
}

/** A delivery as an operator sees it. */
export function deadLetterOf(
  slot: number,
  { number, state: stateText, event: eventText, note, lastTry }: Omit<KeptDelivery, 'diedAtUs'>,
  dueAtMs?: number,
): DeadLetter {
  const state: State = JSON.parse(stateText)
  const event = eventOnFile(eventText, '')
  return {
    id: `${slot}-${number}`,
    origin: state.consumer,
    state: state.state,
    eventId: event.id,
    type: event.type,
    subject: event.subject,
    reason: state.reason ?? null,
    error: lastTry === '' ? null : withoutStack(JSON.parse(lastTry)),
    attempts: state.attempts,
    redrives: state.redrives,
    occurredAt: new Date(event.occurredAtMs),
    firstFailedAt: new Date(state.first_failed_at),
    deadAt: state.dead_at === undefined ? null : new Date(state.dead_at),
    dueAt: dueAtMs === undefined ? null : new Date(dueAtMs),
    resolution: state.resolution ?? null,
    note: note === '' ? null : note,
  }
}

/** How many attempts the delivery has had in all. */
export function triesOf({ state }: KeptDelivery): number {
  return (JSON.parse(state) as State).tries
}

export function pastAttempt(text: string, number: number): PastAttempt {
  const { startedAtMs, durationMs, error }: DeliveryAttempt = JSON.parse(text)
  return { number, startedAt: new Date(startedAtMs), durationMs: Math.round(durationMs), error }
}

function withoutStack({ error }: DeliveryAttempt): Omit<AttemptError, 'stack'> {
  const { name, message, code, fingerprint } = error
  return { name, message, code, fingerprint }
}
