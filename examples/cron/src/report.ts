import { PGlite } from '@electric-sql/pglite'
import { once } from '@oncekey/core'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'

// Embedded Postgres, in memory. On a server, use a `pg` Pool instead, which all processes share.
export const db = new PGlite()
const client = fromPglite(db)
await migrate(client)
await db.query('create table reports (at timestamptz not null, by text not null)')

const reportOnce = once({ store: postgresStore({ client }), namespace: 'reports', waitMs: 5_000 })

/**
 * The job of every process that has the schedule. The key is the time for which the run was
 * scheduled, and not that at which it began: the process that comes second finds the first one's
 * result.
 */
export async function report(scheduledFor: Date, by: string) {
  const key = scheduledFor.toISOString()
  return await reportOnce.run({ scope: 'shop', key, input: key }, async ({ transaction, emit }) => {
    const tx = await transaction()
    await tx.query('insert into reports values ($1, $2)', [key, by])
    emit({ type: 'report.made', subject: key, data: { by } }) // a consumer sends the mail
    return { by }
  })
}
