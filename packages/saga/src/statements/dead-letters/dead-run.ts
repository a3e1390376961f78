import type { RunStateJson, StuckJson } from '../find-run.ts'

/** A run as its dead letter is made of it, times in microseconds; of a table called `r`. */
export function deadRun(schema: string): string {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000000)`
  return `json_build_object('id', r.id, 'saga', r.saga, 'state', r.state, 'stuck', r.stuck,
      'stuck_at', ${at('r.stuck_at')}, 'started_at', ${at('r.started_at')}, 'resumes', r.resumes,
      'note', r.note, 'first_failed_at', (
        select ${at('min(f.failed_at)')} from ${schema}.saga_failures f where f.run_id = r.id
      ))::text`
}

export interface DeadRunJson {
  readonly id: string
  readonly saga: string
  readonly state: RunStateJson
  readonly stuck: StuckJson | null
  readonly stuck_at: number | null
  readonly started_at: number
  readonly first_failed_at: number | null
  readonly resumes: number
  readonly note: string | null
}
