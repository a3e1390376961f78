import type { LogInbox } from '../contracts/inbox.ts'
import { OncekeyError } from '../errors/errors.ts'
import { endsWithin } from '../time/durations.ts'
import type { MemoryInsides } from './memory-store.ts'
import { type MemoryTransaction, stagedTransaction } from './memory-transaction.ts'

/** The marks of the events that consumers have taken in, and the transactions that set them. */
export interface MemoryInbox extends LogInbox<MemoryTransaction> {
  has(consumer: string, eventId: string): boolean
}

export function memoryInbox({ data, outbox }: MemoryInsides): MemoryInbox {
  const processed = new Set<string>()
  /**
   * Events that an open transaction is taking in. Another transaction that wants one of them waits,
   * as for an uncommitted row.
   */
  const pending = new Map<string, Promise<void>>()

  return {
    has: (consumer, eventId) => processed.has(markOf(consumer, eventId)),

    async takeIn({ consumer, eventIds, timeoutMs }) {
      const marks = eventIds.map((eventId) => markOf(consumer, eventId))
      const until = performance.now() + timeoutMs
      // Nothing is awaited between this check and what follows, so both are one step.
      for (let busy = isBusy(marks); busy !== undefined; busy = isBusy(marks)) {
        await endOf(busy, until, timeoutMs)
      }
      const fresh = new Set(eventIds.filter((_, at) => !processed.has(marks[at] ?? '')))
      let letGo = (): void => {}
      const ended = new Promise<void>((resolve) => {
        letGo = resolve
      })
      for (const mark of marks) pending.set(mark, ended)

      let open = true
      const staged = stagedTransaction(data, () => open)
      const end = (): void => {
        open = false
        for (const mark of marks) pending.delete(mark)
        letGo()
      }
      return {
        handle: staged.transaction,
        fresh,
        async commit(events) {
          if (!open) return
          staged.commitTo(data)
          for (const mark of marks) processed.add(mark)
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
      if (processed.has(mark)) return 'duplicate'
      processed.add(mark)
      outbox.append(events)
      return 'done'
    },
  }

  function isBusy(marks: readonly string[]): Promise<void> | undefined {
    return marks.map((mark) => pending.get(mark)).find((each) => each !== undefined)
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
