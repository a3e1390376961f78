import type { LoggedEvent } from '@oncekey/core'
import { inLife } from '../keys/life.ts'
import type { FiledEvent } from '../scripts/reading/advance.ts'
import type { Entry } from '../scripts/reading/read-entries.ts'

/** An entry read as an event. If it is not an event, it is the dead letter to file for it. */
export type LoggedEntry =
  | { readonly kind: 'event'; readonly event: LoggedEvent }
  | { readonly kind: 'unreadable'; readonly position: string; readonly filed: FiledEvent }

/**
 * Reads the entries that `outbox-entry.ts` writes. Other programs may write to the stream too, so
 * an entry can hold anything. An entry without an id or a type, or with data or headers that are
 * not JSON, becomes a dead letter with its fields as data. So it neither stops its slot nor goes
 * unnoticed.
 */
export function loggedEntry(slot: number, { id, fields }: Entry, life: string): LoggedEntry {
  const values = new Map<string, string>()
  for (let at = 0; at + 1 < fields.length; at += 2) {
    values.set(String(fields[at]), String(fields[at + 1]))
  }
  const event = eventOf(slot, id, values)
  const why = whyUnreadable(event)
  return why === undefined
    ? { kind: 'event', event: { ...event, position: inLife(id, life) } }
    : { kind: 'unreadable', position: id, filed: unreadable(event, values, why) }
}

/** The text that is stored of an event, without its data. */
export function filedText({ data: _, ...event }: LoggedEvent): string {
  return JSON.stringify(event)
}

/** Makes an event of its stored text and its data. */
export function eventOnFile(text: string, data: string): LoggedEvent {
  return { ...JSON.parse(text), data }
}

function eventOf(slot: number, position: string, values: ReadonlyMap<string, string>): LoggedEvent {
  const id = values.get('id') ?? ''
  const subject = values.get('subject') ?? null
  const time = Date.parse(values.get('time') ?? '')
  return {
    slot,
    position,
    id,
    type: values.get('type') ?? '',
    source: values.get('source') ?? '',
    subject,
    orderingKey: values.get('partitionkey') ?? subject ?? id,
    data: values.get('data') ?? 'null',
    headers: values.get('headers') ?? '{}',
    occurredAtMs: Number.isNaN(time) ? millisecondsOf(position) : time,
  }
}

function whyUnreadable({ id, type, data, headers }: LoggedEvent): string | undefined {
  if (id === '') return 'has no `id`'
  if (type === '') return 'has no `type`'
  if (parsed(data) === undefined) return 'has `data` that is not JSON'
  if (headers !== '{}' && !isObjectOfText(parsed(headers))) {
    return 'has `headers` that are not a JSON object of strings'
  }
  return undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObjectOfText(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => typeof each === 'string')
  )
}

function unreadable(
  event: LoggedEvent,
  values: ReadonlyMap<string, string>,
  why: string,
): FiledEvent {
  const { slot, position } = event
  const eventId = `unreadable:${slot}:${position}`
  const readable: LoggedEvent = {
    ...event,
    id: event.id === '' ? eventId : event.id,
    type: event.type === '' ? 'unreadable' : event.type,
    orderingKey: event.orderingKey === '' ? eventId : event.orderingKey,
    headers: '{}',
  }
  return {
    eventId,
    event: filedText(readable),
    data: JSON.stringify(Object.fromEntries(values)),
    verdict: { kind: 'dead', reason: 'permanent' },
    attempt: {
      startedAtMs: Date.now(),
      durationMs: 0,
      error: {
        name: 'UnreadableEntry',
        message: `The entry ${position} of oncekey:{${slot}}:outbox ${why}.`,
        code: null,
        stack: null,
        fingerprint: `unreadable:${why}`,
      },
    },
  }
}

function millisecondsOf(position: string): number {
  return Number(position.split('-')[0])
}
