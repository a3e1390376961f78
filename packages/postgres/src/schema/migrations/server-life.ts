import { inLife, life, nameLife, stillHeld } from '../functions/server/life.ts'
import { numbersAreOurs, systemIdentifier } from '../functions/server/numbers-are-ours.ts'
import { leaseSlots2 } from '../superseded/log/lease-slots-2.ts'
import { rebase2 } from '../superseded/log/rebase-2.ts'

/** What a relay keeps in memory is valid in one life of the server only: see decision 114. */
export function serverLife(schema: string): string[] {
  return [
    // Has at most one row. The table is UNLOGGED, because then a crash empties it, which reveals
    // the crash.
    `create unlogged table ${schema}.life (
      token uuid not null default gen_random_uuid(),
      written_by xid8 not null default pg_current_xact_id(),
      database oid not null
    )`,
    life(schema),
    nameLife(schema),
    inLife(schema),
    stillHeld(schema),

    // The life in which the slot was taken; null if the relay's release does not report that.
    `alter table ${schema}.cursors add column leased_in text`,
    // The length of the lease that ends at 'until'; null if the relay's release does not report
    // that.
    `alter table ${schema}.relays add column lease_ms integer`,
    // Has one row. A dump contains the row, and where the dump is restored the row is not true.
    `create table ${schema}.numbering (
      system text,
      written_by xid8 not null default pg_current_xact_id()
    )`,
    systemIdentifier(schema),
    `insert into ${schema}.numbering (system) values (${schema}.system_identifier())`,
    numbersAreOurs(schema),
    rebase2(schema),
    leaseSlots2(schema),
  ]
}
