import type { Statement } from '../../sql-client.ts'

/** Consumers that no relay has asked for in that time, and that still hold events back. */
export function missingConsumers(
  schema: string,
  missingMs: number,
): Statement<{ name: string; seen_at: string }> {
  return {
    name: 'missing_consumers',
    text: `
      select name, (extract(epoch from seen_at) * 1000)::bigint::text as seen_at
        from ${schema}.consumers
        where abandoned_at is null and seen_at < now() - $1::bigint * interval '1 millisecond'
        order by name`,
    values: [missingMs],
  }
}
