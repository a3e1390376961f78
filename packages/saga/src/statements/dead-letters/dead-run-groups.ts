import type { Statement } from '@oncekey/postgres/client'

/** Dead runs by saga and kind of error, the largest group first. */
export function deadRunGroupsStatement(schema: string): () => Statement<{ dead_group: string }> {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    select json_build_object('saga', r.saga, 'fingerprint', r.stuck->>'fingerprint',
        'count', count(*), 'oldest_at', ${at('min(r.stuck_at)')},
        'newest_at', ${at('max(r.stuck_at)')}, 'sample', min(r.id),
        'name', min(r.stuck->'error'->>'name'),
        'message', min(r.stuck->'error'->>'message'))::text as dead_group
      from ${schema}.saga_runs r
      where r.state in ('stuck', 'compensation-failed')
      group by r.saga, r.stuck->>'fingerprint'
      order by count(*) desc, r.saga
      limit 100`
  return () => ({ name: 'saga_dead_run_groups', text, values: [], cancellable: true })
}

/** What `dead_group` is, in JSON. */
export interface DeadRunGroupJson {
  readonly saga: string
  readonly fingerprint: string
  readonly count: number
  readonly oldest_at: number
  readonly newest_at: number
  readonly sample: string
  readonly name: string
  readonly message: string
}
