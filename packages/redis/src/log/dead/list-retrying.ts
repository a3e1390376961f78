import {
  type DeadLetter,
  type DeadLetterPage,
  type DeadLetterPageRequest,
  OptionsError,
  type RetryingFilter,
} from '@oncekey/core'
import { allSlots } from '../keys/slot-keys.ts'
import { listConsumersScript } from '../scripts/consumers/list-consumers.ts'
import { listRetryingScript } from '../scripts/deliveries/list-retrying.ts'
import type { LogState } from '../state/log-state.ts'
import { deadLetterOf } from './dead-letter.ts'

/**
 * Lists retrying deliveries: consumer by consumer, slot by slot, and within a slot by due time. A
 * page reads a limited number of slots; if they are all empty, the page is empty and still has a
 * `next`.
 */
export async function listRetrying(
  log: LogState,
  filter: RetryingFilter,
  { limit, after }: DeadLetterPageRequest,
): Promise<DeadLetterPage> {
  const consumers = filter.origin === undefined ? await consumersOf(log) : [filter.origin]
  const items: DeadLetter[] = []
  let place = after === undefined ? startOf(consumers) : placeIn(after)
  for (let asked = 0; place !== undefined; asked += 1) {
    if (items.length === limit || asked === ASKED) return { items, next: JSON.stringify(place) }
    const [consumer, slot, from]: Place = place
    const most = limit - items.length
    const found = await log.ask(listRetryingScript, { consumer, slot, from, most })
    for (const each of found) {
      const letter = deadLetterOf(slot, each, each.dueAtMs)
      if (isMeant(letter, filter)) items.push(letter)
    }
    place = found.length < most ? nextSlot(consumers, place) : [consumer, slot, from + most]
  }
  return { items, next: undefined }
}

/** Where the next page starts: a consumer, a slot, and how many of that slot to skip. */
type Place = readonly [consumer: string, slot: number, from: number]

/** The names of all consumers, each once, sorted. */
export async function consumersOf(log: LogState): Promise<readonly string[]> {
  const found = await log.askSlots(listConsumersScript, allSlots, (slots) => ({ slots }))
  return [...new Set(found.flat())].sort()
}

function startOf([first]: readonly string[]): Place | undefined {
  return first === undefined ? undefined : [first, 0, 0]
}

function nextSlot(consumers: readonly string[], [consumer, slot]: Place): Place | undefined {
  if (slot + 1 < allSlots.length) return [consumer, slot + 1, 0]
  // Continues by name, because consumers may have come or gone since the previous page.
  return startOf(consumers.filter((each) => each > consumer))
}

function placeIn(after: string): Place {
  try {
    const [consumer, slot, from] = JSON.parse(after)
    if (typeof consumer === 'string' && allSlots.includes(slot) && Number.isInteger(from)) {
      return [consumer, slot, from]
    }
  } catch {
    // Falls through to the error below.
  }
  throw new OptionsError('listRetrying: `after` must be the `next` of a page of the same list.')
}

function isMeant({ type, subject }: DeadLetter, filter: RetryingFilter): boolean {
  return (
    (filter.type === undefined || filter.type === type) &&
    (filter.subject === undefined || filter.subject === subject)
  )
}

/** How many slots, or portions of slots, one page reads. */
const ASKED = 128
