import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from './find-run.ts'

/** Has a run go on from where it stopped. */
export function resumeRunStatement(
  schema: string,
): (id: string) => Statement<{ state: RunStateJson | null }> {
  const text = `select ${schema}.saga_resume_2($1::text, false) as state`
  return (id) => ({ name: 'saga_resume_run', text, values: [id] })
}
