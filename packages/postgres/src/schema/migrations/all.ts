import { recordsAndOutbox } from './0001-records-and-outbox.ts'
import { leases } from './0002-leases.ts'
import { attemptsThatWereLost } from './attempts-that-were-lost.ts'
import { boundedBytes } from './bounded-bytes.ts'
import { boundedLocks } from './bounded-locks.ts'
import { boundedReading } from './bounded-reading.ts'
import { eventLog } from './event-log/0003-event-log.ts'
import { droppedInboxRows } from './event-log/dropped-inbox-rows.ts'
import { lettersInOrder } from './event-log/letters-in-order.ts'
import { livingHolders } from './event-log/living-holders.ts'
import { numbersUsedUp } from './event-log/numbers-used-up.ts'
import { oneLife } from './event-log/one-life.ts'
import { relaysThatLeave } from './event-log/relays-that-leave.ts'
import { rememberedNumbers } from './event-log/remembered-numbers.ts'
import { silentConsumers } from './event-log/silent-consumers.ts'
import { timesOfDeliveries } from './event-log/times-of-deliveries.ts'
import { verdictsOnce } from './event-log/verdicts-once.ts'
import { freshSnapshots } from './fresh-snapshots.ts'
import { functionsWithoutJit } from './functions-without-jit.ts'
import { handlerRoles } from './handler-roles.ts'
import { keysOfAnyLength } from './keys-of-any-length.ts'
import { largeTransactions } from './large-transactions.ts'
import { attemptsByName } from './lease/attempts-by-name.ts'
import { claimsGivenBack } from './lease/claims-given-back.ts'
import { lateCopies } from './lease/late-copies.ts'
import { leasesSetRight } from './lease/leases-set-right.ts'
import { auditOfActs } from './operator/audit-of-acts.ts'
import { commentsAndViews } from './operator/comments-and-views.ts'
import { consumersPaused } from './operator/consumers-paused.ts'
import { editedLetters } from './operator/edited-letters.ts'
import { erasableAudit } from './operator/erasable-audit.ts'
import { erasableEvents } from './operator/erasable-events.ts'
import { forgottenAttempts } from './operator/forgotten-attempts.ts'
import { lettersTakenOnce } from './operator/letters-taken-once.ts'
import { namedStarts } from './operator/named-starts.ts'
import { operatorKeys } from './operator/operator-keys.ts'
import { redrivesOnRecord } from './operator/redrives-on-record.ts'
import { orderByKey } from './order-by-key.ts'
import { publishedTables } from './published-tables.ts'
import { serverLife } from './server-life.ts'
import { serversThatTakeWrites } from './servers-that-take-writes.ts'
import { steadySessions } from './steady-sessions.ts'
import { clocksPutBack } from './store/clocks-put-back.ts'
import { droppedWrites } from './store/dropped-writes.ts'
import { takeoversByName } from './store/takeovers-by-name.ts'
import { subscriptionGenerations } from './subscription-generations.ts'
import { subscriptions } from './subscriptions.ts'

/** The migrations in their order; the first is version 1. A released migration is never changed. */
export const migrations: readonly ((schema: string) => string[])[] = [
  recordsAndOutbox,
  leases,
  eventLog,
  freshSnapshots,
  serverLife,
  subscriptions,
  serversThatTakeWrites,
  boundedReading,
  handlerRoles,
  boundedBytes,
  operatorKeys,
  boundedLocks,
  orderByKey,
  largeTransactions,
  steadySessions,
  subscriptionGenerations,
  keysOfAnyLength,
  functionsWithoutJit,
  publishedTables,
  auditOfActs,
  redrivesOnRecord,
  consumersPaused,
  editedLetters,
  commentsAndViews,
  livingHolders,
  attemptsThatWereLost,
  namedStarts,
  erasableAudit,
  timesOfDeliveries,
  droppedWrites,
  claimsGivenBack,
  clocksPutBack,
  leasesSetRight,
  silentConsumers,
  droppedInboxRows,
  erasableEvents,
  verdictsOnce,
  lettersTakenOnce,
  relaysThatLeave,
  lateCopies,
  rememberedNumbers,
  attemptsByName,
  forgottenAttempts,
  numbersUsedUp,
  lettersInOrder,
  oneLife,
  takeoversByName,
]
