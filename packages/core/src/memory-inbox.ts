import { OncekeyError } from './errors.ts'
import type { EventLog, Intake, TakeIn } from './event-log.ts'
import type { MemoryInsides } from './memory-store.ts'
import { type MemoryTransaction, stagedTransaction } from './memory-transaction.ts'

/** What consumers have taken in, and the transactions in which they do. */
export interface MemoryInbox {
  takeIn(request: TakeIn): Promise<Intake<MemoryTransaction>>
  emit: EventLog['emit']
  has(consumer: string, eventId: string): boolean
}

export function memoryInbox({ data, outbox }: MemoryInsides): MemoryInbox {
  const processed = new Set<string>()
  /** Being taken in: whoever wants the same waits, as for a row that is not committed. */
  const pending = new Map<string, Promise<void>>()

  return {
    has: (consumer, eventId) => processed.has(markOf(consumer, eventId)),

    async takeIn({ consumer, eventIds, timeoutMs }) {
      const marks = eventIds.map((eventId) => markOf(consumer, eventId))
      const until = performance.now() + timeoutMs
      // Nothing may come between the last look and what follows.
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
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - performance.now()))
  })
  await Promise.race([busy, late])
  clearTimeout(timer)
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
