import type { LogInbox } from '../contracts/inbox.ts'
import { OncekeyError } from '../errors/errors.ts'
import { endsWithin } from '../time/durations.ts'
import type { MemoryInsides } from './memory-store.ts'
import { type MemoryTransaction, stagedTransaction } from './memory-transaction.ts'

/**
 * The marks of the events that consumers have taken in, and the transactions that set them. A mark
 * is kept for as long as its event, or a failed delivery of that.
 */
export interface MemoryInbox extends LogInbox<MemoryTransaction> {
  has(consumer: string, eventId: string): boolean
  /** Forgets the marks of events that were dropped, except of the `open` ones. */
  forget(open: () => ReadonlySet<string>): void
}

export function memoryInbox({ data, outbox }: MemoryInsides): MemoryInbox {
  const processed = marks()
  /** Dropped events that have marks. */
  const dropped = new Set<string>()
  outbox.onDropped((events) => {
    for (const { id } of events) if (processed.isOf(id)) dropped.add(id)
  })
  /**
   * Events that an open transaction is taking in. Another transaction that wants one of them waits,
   * as for an uncommitted row.
   */
  const pending = new Map<string, Promise<void>>()

  return {
    has: processed.has,

    forget(open) {
      if (dropped.size === 0) return
      // An event can have been appended a second time.
      const there = new Set(outbox.events.map(({ id }) => id))
      const kept = open()
      for (const id of dropped) {
        if (there.has(id)) dropped.delete(id)
        else if (!kept.has(id)) {
          dropped.delete(id)
          processed.forget(id)
        }
      }
    },

    async takeIn({ consumer, eventIds, timeoutMs }) {
      const wanted = eventIds.map((eventId) => markOf(consumer, eventId))
      const until = performance.now() + timeoutMs
      // Nothing is awaited between this check and what follows, so both are one step.
      for (let busy = isBusy(wanted); busy !== undefined; busy = isBusy(wanted)) {
        await endOf(busy, until, timeoutMs)
      }
      const fresh = new Set(eventIds.filter((eventId) => !processed.has(consumer, eventId)))
      let letGo = (): void => {}
      const ended = new Promise<void>((resolve) => {
        letGo = resolve
      })
      for (const mark of wanted) pending.set(mark, ended)

      let open = true
      const staged = stagedTransaction(data, () => open)
      const end = (): void => {
        open = false
        for (const mark of wanted) pending.delete(mark)
        letGo()
      }
      return {
        handle: staged.transaction,
        fresh,
        async commit(events) {
          if (!open) return
          staged.commitTo(data)
          for (const eventId of eventIds) processed.add(consumer, eventId)
          outbox.append(events)
          end()
        },
        async rollback() {
          if (open) end()
        },
      }
    },

    async emit({ consumer, eventId, events }) {
      const mark = markOf(consumer, eventId)
      const until = performance.now() + LONGEST_MS
      for (let busy = isBusy([mark]); busy !== undefined; busy = isBusy([mark])) {
        await endOf(busy, until, LONGEST_MS)
      }
      if (processed.has(consumer, eventId)) return 'duplicate'
      processed.add(consumer, eventId)
      outbox.append(events)
      return 'done'
    },
  }

  function isBusy(wanted: readonly string[]): Promise<void> | undefined {
    return wanted.map((mark) => pending.get(mark)).find((each) => each !== undefined)
  }
}

/** Which consumers have taken in which events, by the event. */
function marks() {
  const byEvent = new Map<string, Set<string>>()
  return {
    isOf: (eventId: string): boolean => byEvent.has(eventId),
    has: (consumer: string, eventId: string): boolean =>
      byEvent.get(eventId)?.has(consumer) === true,
    add(consumer: string, eventId: string): void {
      byEvent.set(eventId, (byEvent.get(eventId) ?? new Set()).add(consumer))
    },
    forget: (eventId: string): boolean => byEvent.delete(eventId),
  }
}

async function endOf(busy: Promise<void>, until: number, timeoutMs: number): Promise<void> {
  await endsWithin(busy, until - performance.now())
  if (performance.now() < until) return
  throw new OncekeyError(
    'store-busy',
    `The event is being taken in by another transaction, which did not end within ${timeoutMs} ms.`,
  )
}

const LONGEST_MS = 60_000

function markOf(consumer: string, eventId: string): string {
  return `${consumer}\n${eventId}`
}
