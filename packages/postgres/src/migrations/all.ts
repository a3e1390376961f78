import { recordsAndOutbox } from './0001-records-and-outbox.ts'
import { leases } from './0002-leases.ts'
import { eventLog } from './0003-event-log.ts'
import { boundedBytes } from './bounded-bytes.ts'
import { boundedReading } from './bounded-reading.ts'
import { freshSnapshots } from './fresh-snapshots.ts'
import { handlerRoles } from './handler-roles.ts'
import { serverLife } from './server-life.ts'
import { serversThatTakeWrites } from './servers-that-take-writes.ts'
import { subscriptions } from './subscriptions.ts'

/** In order; the first is version 1. A migration that was released is never changed. */
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
]
