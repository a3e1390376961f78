import type { Statement } from '@oncekey/postgres/client'
import { deadRun } from './dead-run.ts'

/** One that is dead, or was. */
export function findDeadRunStatement(schema: string): (id: string) => Statement<{ run: string }> {
  const text = `
    select ${deadRun(schema)} as run
      from ${schema}.saga_runs r
      where r.id = $1::text and (r.stuck is not null or r.state = 'settled')`
  return (id) => ({ name: 'saga_find_dead_run', text, values: [id], cancellable: true })
}
