import { leaseSlots2 } from '../functions/log/lease-slots-2.ts'
import { rebase2 } from '../functions/log/rebase-2.ts'
import { inLife, life, nameLife, stillHeld } from '../functions/server/life.ts'
import { numbersAreOurs, systemIdentifier } from '../functions/server/numbers-are-ours.ts'

/** What a relay remembers is of one life of the server: see decision 114. */
export function serverLife(schema: string): string[] {
  return [
    // One row at most. UNLOGGED, because a table that is emptied by a crash tells of it.
    `create unlogged table ${schema}.life (
      token uuid not null default gen_random_uuid(),
      written_by xid8 not null default pg_current_xact_id(),
      database oid not null
    )`,
    life(schema),
    nameLife(schema),
    inLife(schema),
    stillHeld(schema),

    // In which life the slot was taken; null: by the release before, which did not say.
    `alter table ${schema}.cursors add column leased_in text`,
    // How long the lease is that ends then; null: of the release before.
    `alter table ${schema}.relays add column lease_ms integer`,
    // One row, that a dump takes along, and that is not true where it is restored.
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
