import {
  type AppendRequest,
  checkEvents,
  checkedRequestId,
  OncekeyError,
  type OutboxEvent,
} from '@oncekey/core'
import { isNeverSent } from '../sql/never-sent.ts'
import { isRefusedToRole } from '../sql/session-fitness.ts'
import { isOutcomeKnown } from '../sql/sql-state.ts'
import type { LogState } from './log-state.ts'

/**
 * Appends events in a commit of their own. A request that has an id leaves a row in the inbox, in
 * the same commit, by which it is known when it is sent again.
 */
export async function appendAlone<Tx>(
  log: LogState<Tx>,
  events: readonly OutboxEvent[],
  options: AppendRequest = {},
): Promise<void> {
  checkEvents(events)
  const requestId = checkedRequestId(options.requestId, 'append')
  if (events.length === 0) return
  try {
    await appended(log, events, requestId)
  } catch (error) {
    throw isKnown(error) ? error : outcomeUnknown(error)
  }
}

async function appended<Tx>(
  log: LogState<Tx>,
  events: readonly OutboxEvent[],
  requestId: string | undefined,
): Promise<void> {
  const { ask, statements } = log
  if (requestId === undefined) {
    await ask(statements.appendEvents(events))
    return
  }
  if (!withoutInbox.has(log)) {
    try {
      await ask(statements.emitOnce(NO_CONSUMER, requestId, events))
      return
    } catch (error) {
      if (!isRefusedToRole(error)) throw error
      withoutInbox.set(log, new Map())
    }
  }
  await appendedUnnamed(log, events, requestId)
}

/**
 * For a role that may append and not write to the inbox. The server does not know the request when
 * it is sent again, so this process keeps those of unknown outcome, and sends none of them twice.
 */
async function appendedUnnamed<Tx>(
  log: LogState<Tx>,
  events: readonly OutboxEvent[],
  requestId: string,
): Promise<void> {
  const unknown = withoutInbox.get(log) ?? new Map<string, unknown>()
  if (unknown.has(requestId)) throw unknown.get(requestId)
  try {
    await log.ask(log.statements.appendEvents(events))
  } catch (error) {
    if (!isKnown(error)) {
      unknown.set(requestId, error)
      const [oldest] = unknown.keys()
      if (unknown.size > MOST_UNKNOWN && oldest !== undefined) unknown.delete(oldest)
    }
    throw error
  }
}

/** The logs whose role may not write to the inbox, with the requests of unknown outcome. */
const withoutInbox = new WeakMap<object, Map<string, unknown>>()
const MOST_UNKNOWN = 10_000

/** Under this name the inbox has the requests that appended. No consumer has it. */
const NO_CONSUMER = ''

/** Whether the error means that nothing was appended. */
function isKnown(error: unknown): boolean {
  if (error instanceof OncekeyError && NOTHING_SENT.has(error.code)) return true
  return isOutcomeKnown(error) || isNeverSent(error)
}

const NOTHING_SENT: ReadonlySet<string> = new Set(['store-busy', 'event-invalid'])

function outcomeUnknown(cause: unknown): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    'The answer to append() was lost, so it is unknown whether the events were appended. Send them ' +
      'again with the same requestId, or look for them before you append them again.',
    { cause },
  )
}
