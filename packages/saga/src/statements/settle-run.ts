import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './find-run.ts'

/** Ends a run that was put right by hand. */
export function settleRunStatement(
  schema: string,
): (id: string, note: string) => Statement<{ state: RunStateJson | null }> {
  const text = `select ${schema}.saga_settle_3($1::text, $2::text) as state`
  return (id, note) => ({ name: 'saga_settle_run', text, values: [id, note] })
}
