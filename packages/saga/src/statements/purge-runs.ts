import type { Statement } from '@oncekey/postgres/client'

/**
 * Forgets runs that ended long enough ago, with all that is known of them. None within a minute of its
 * end: who waits for it in `execute`, and finds no run, takes it for one that a failover took back, and
 * begins it again.
 */
export function purgeRunsStatement(
  schema: string,
): (retentionMs: number, limit: number) => Statement<{ count: string }> {
  const text = `
    with due as materialized (
      select id from ${schema}.saga_runs
        where ended_at <= now() - greatest($1::bigint, ${LEAST_MS}) * interval '1 millisecond'
        order by ended_at
        limit $2::integer
        for update skip locked
    ), steps as (
      delete from ${schema}.saga_steps where run_id in (select id from due)
    ), failures as (
      delete from ${schema}.saga_failures where run_id in (select id from due)
    ), runs as (
      delete from ${schema}.saga_runs where id in (select id from due) returning 1
    )
    select count(*)::text as count from runs`

  return (retentionMs, limit) => ({
    name: 'saga_purge_runs',
    text,
    values: [retentionMs, limit],
  })
}

/** Longer than those who wait look apart, and than a process is stopped that is still waited for. */
const LEAST_MS = 60_000
