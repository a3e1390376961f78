import type { LoggedEvent } from '@oncekey/core'
import { dead, type LogContext, type Reader } from './fixture/log-context.ts'

/**
 * A consumer with the given number of dead letters: their events and their ids, the oldest first.
 */
export async function someDead(
  context: LogContext,
  count: number,
  verdict: (event: LoggedEvent, at: number) => ReturnType<typeof dead> = (event) => dead(event),
): Promise<LogContext & { by: Reader; read: LoggedEvent[]; ids: string[] }> {
  const by = await context.reader()
  await context.append(...context.events(count))
  const read = await by.readAll()
  // One after the other, because their order matters.
  for (const [at, event] of read.entries()) {
    await by.advance([verdict(event, at)])
    await context.pass(2)
  }
  const { items } = await context.log.deadLetters.list({ origin: by.consumer }, { limit: 100 })
  return { ...context, by, read, ids: items.map(({ id }) => id) }
}

/** What a caller may write by mistake, and what would match all letters if it were no condition. */
export const NO_CONDITIONS: readonly object[] = [
  { consumer: 'email' },
  { origin: undefined },
  { ids: undefined },
  { subject: null },
  { deadAfter: undefined },
]
